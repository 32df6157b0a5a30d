package state

import (
	"bytes"
	"fmt"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/record"
	"google.golang.org/protobuf/proto"

	"pharos/state/wire"
)

// Sealed is the bytes of a libp2p signed envelope: what travels and what is
// stored. Only opening it, with the signer that is expected, gives its content.
type Sealed []byte

// document is a protobuf message inside an envelope. Each sort has a domain of
// its own, so that a signature over one can't be passed off as another's.
type document struct {
	domain  string
	codec   []byte
	message proto.Message
}

func (d *document) Domain() string                   { return d.domain }
func (d *document) Codec() []byte                    { return d.codec }
func (d *document) MarshalRecord() ([]byte, error)   { return proto.Marshal(d.message) }
func (d *document) UnmarshalRecord(raw []byte) error { return proto.Unmarshal(raw, d.message) }

// The sorts of signed documents. The codec stands in the private-use range of
// multicodec, followed by a number of ours.
func orderDocument(m *wire.Order) *document {
	return &document{"pharos-order", []byte{0x80, 0x80, 0xc0, 0x01, 1}, m}
}

func certificateDocument(m *wire.Certificate) *document {
	return &document{"pharos-certificate", []byte{0x80, 0x80, 0xc0, 0x01, 2}, m}
}

func joinProofDocument(m *wire.JoinProof) *document {
	return &document{"pharos-join-proof", []byte{0x80, 0x80, 0xc0, 0x01, 3}, m}
}

func joinRequestDocument(m *wire.JoinRequest) *document {
	return &document{"pharos-join-request", []byte{0x80, 0x80, 0xc0, 0x01, 4}, m}
}

func seal(d *document, key crypto.PrivKey) (Sealed, error) {
	envelope, err := record.Seal(d, key)
	if err != nil {
		return nil, fmt.Errorf("signing a %s: %w", d.domain, err)
	}
	return envelope.Marshal()
}

// maxSmall is the largest document that is no order, in bytes.
const maxSmall = 16 << 10

// open checks the signature over the exact bytes, and gives the signer. The
// caller compares the signer with the one it expects: an envelope by anybody
// is a valid envelope.
//
// The envelope's own bytes are not signed. So only their one plain form is
// taken: a relay that wrote them otherwise would make an alarm (other bytes
// under one stamp) of an honest document.
func open(sealed Sealed, d *document, limit int) (NodeID, error) {
	refuse := func(kind Kind, cause string, err error) (NodeID, error) {
		return "", &Problem{Kind: kind, Doing: "opening a " + d.domain, Cause: cause, Err: err}
	}
	if len(sealed) > limit {
		return refuse(Invalid, fmt.Sprintf("it has %d bytes, over the limit of %d", len(sealed), limit), nil)
	}
	envelope, err := record.UnmarshalEnvelope(sealed)
	if err != nil {
		return refuse(Corrupt, plain(err.Error(), 200), err)
	}
	if envelope.PublicKey.Type() != crypto.Ed25519 {
		return refuse(Refused, "it is signed with a key that is not ed25519", nil)
	}
	if _, err := record.ConsumeTypedEnvelope(sealed, d); err != nil {
		return refuse(Corrupt, plain(err.Error(), 200), err)
	}
	if !bytes.Equal(envelope.PayloadType, d.codec) {
		return refuse(Corrupt, "it is another sort of document", nil)
	}
	if again, err := envelope.Marshal(); err != nil || !bytes.Equal(again, sealed) {
		return refuse(Corrupt, "its envelope was written anew on the way", err)
	}
	return IDOf(envelope.PublicKey)
}

// IDOf is the ID of a public key.
func IDOf(key crypto.PubKey) (NodeID, error) {
	id, err := peer.IDFromPublicKey(key)
	if err != nil {
		return "", fmt.Errorf("making an ID of a key: %w", err)
	}
	return NodeID(id.String()), nil
}

// Peer gives the ID as libp2p's, or an error when it is none of an ed25519 key.
func (id NodeID) Peer() (peer.ID, error) {
	bad := func(err error) (peer.ID, error) {
		return "", &Problem{
			Kind: Invalid, Doing: fmt.Sprintf("reading the node ID %q", Clip(string(id), 80)),
			Cause: "it is no libp2p peer ID of an ed25519 key", Err: err,
		}
	}
	if len(id) > 128 { // reading base58 takes the square of its length
		return bad(nil)
	}
	p, err := peer.Decode(string(id))
	if err != nil {
		return bad(err)
	}
	key, err := p.ExtractPublicKey()
	// A peer ID can be written in several ways; as a key in maps only one counts.
	if err != nil || key.Type() != crypto.Ed25519 || p.String() != string(id) {
		return bad(err)
	}
	return p, nil
}

// SealOrder signs an order. The key must be its issuer's.
func SealOrder(o Order, key crypto.PrivKey) (Sealed, error) {
	if (o.App == nil) == (o.Member == nil) {
		return nil, &Problem{Kind: Invalid, Doing: "signing an order", Cause: "it must be of one app, or of one node"}
	}
	return seal(orderDocument(orderToWire(o)), key)
}

// OpenOrder opens an order of this factory and checks its signature, that the
// signer is the issuer it names, that the issuer may say what it says, and that
// everything in it is well-formed. It knows nothing of what is held already:
// that is the Ledger's.
func OpenOrder(sealed Sealed, factory NodeID) (Order, error) {
	m := &wire.Order{}
	signer, err := open(sealed, orderDocument(m), MaxOrder)
	if err != nil {
		return Order{}, err
	}
	o, err := orderFromWire(m)
	if err != nil {
		return Order{}, err
	}
	refuse := func(why string) (Order, error) {
		return Order{}, &Problem{Kind: Refused, Doing: fmt.Sprintf("accepting order %s (%s)", o.Stamp, Clip(o.Key(), 90)), Cause: why}
	}
	switch {
	case o.Factory != factory:
		return refuse(fmt.Sprintf("it is of another factory, %s", o.Factory.Short()))
	case signer != o.Issuer:
		return refuse(fmt.Sprintf("it names %s as its issuer, and %s signed it", o.Issuer.Short(), signer.Short()))
	case !MayIssue(o.Issuer, factory):
		return refuse(fmt.Sprintf("%s has no authority to issue it", o.Issuer.Short()))
	case o.Member != nil && (o.Member.Parent == "") != (o.Member.ID == factory):
		return refuse("the root, and it alone, has no parent")
	}
	return o, nil
}

// MayIssue says whose orders count: the root's.
func MayIssue(issuer, factory NodeID) bool { return issuer == factory }

// SealCertificate signs a certificate with the factory's key.
func SealCertificate(c Certificate, key crypto.PrivKey) (Sealed, error) {
	return seal(certificateDocument(certificateToWire(c)), key)
}

// OpenCertificate opens a certificate and checks that the factory's key signed
// it. An empty factory means the one the certificate names, for a node that
// reads its own from its own disk.
func OpenCertificate(sealed Sealed, factory NodeID) (Certificate, error) {
	m := &wire.Certificate{}
	signer, err := open(sealed, certificateDocument(m), maxSmall)
	if err != nil {
		return Certificate{}, err
	}
	c, err := certificateFromWire(m)
	if err != nil {
		return Certificate{}, err
	}
	if factory == "" {
		factory = c.Factory
	}
	if c.Factory != factory || signer != factory {
		return Certificate{}, &Problem{
			Kind: Refused, Doing: fmt.Sprintf("checking the certificate of %s", Clip(string(c.Name), MaxName)),
			Cause: fmt.Sprintf("it is signed by %s for factory %s, not by this factory (%s)", signer.Short(), c.Factory.Short(), factory.Short()),
			Fix:   "enrol the machine with a join token of this factory",
		}
	}
	return c, nil
}
