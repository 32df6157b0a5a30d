package mesh

import (
	"encoding/binary"
	"testing"

	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// forge makes a gossip packet that subscribes to topic and publishes on it as
// the attacker itself, properly signed.
func forge(t *testing.T, a *attacker, topic string, out chan<- []byte) {
	t.Helper()
	m := &pb.Message{
		From: []byte(a.ID()), Data: []byte("forged"), Topic: &topic,
		Seqno: binary.BigEndian.AppendUint64(nil, 7),
	}
	raw, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	m.Signature, err = a.Peerstore().PrivKey(a.ID()).Sign(append([]byte("libp2p-pubsub:"), raw...))
	if err != nil {
		t.Fatal(err)
	}
	rpc := &pb.RPC{
		Subscriptions: []*pb.RPC_SubOpts{{Topicid: &topic, Subscribe: proto.Bool(true)}},
		Publish:       []*pb.Message{m},
	}
	raw, err = proto.Marshal(rpc)
	if err != nil {
		t.Fatal(err)
	}
	out <- append(protowire.AppendVarint(nil, uint64(len(raw))), raw...)
}
