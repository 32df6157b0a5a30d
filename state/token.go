package state

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"google.golang.org/protobuf/proto"

	"pharos/state/wire"
)

// JoinToken is what an operator carries to a machine that is to join: who the
// factory is, whose child the machine will be, where to find that parent, and
// a secret that proves the right to join once.
//
// The secret is the seed of an ed25519 key. It never travels: the machine
// signs with it, and the root knows only the public half.
type JoinToken struct {
	Factory   NodeID
	Secret    []byte // 32 bytes
	Name      Name
	Parent    NodeID
	Addresses []string // of the parent, or of any anchor on the way to it
}

// TokenRecord is what the root keeps of a token: enough to recognise it, not
// enough to use it.
type TokenRecord struct {
	Key     []byte            `json:"key"` // public half of the secret
	Name    Name              `json:"name"`
	Gateway bool              `json:"gateway"`
	Parent  NodeID            `json:"parent"`
	Labels  map[string]string `json:"labels,omitempty"`
	Expires time.Time         `json:"expires"`
	UsedBy  NodeID            `json:"usedBy,omitempty"`
	Issued  Sealed            `json:"issued,omitempty"` // the certificate it brought, to answer the same node again
}

const tokenPrefix = "pharos-join-"

// MaxToken is the longest join token, in bytes.
const MaxToken = 16 << 10

// NewJoinToken makes a token with a fresh secret, and the public half for the
// root's record. Of the addresses it takes the first MaxAddresses.
func NewJoinToken(factory NodeID, name Name, parent NodeID, addresses []string) (JoinToken, []byte, error) {
	private, public, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return JoinToken{}, nil, fmt.Errorf("making a token's secret: %w", err)
	}
	raw, err := private.Raw()
	if err != nil {
		return JoinToken{}, nil, fmt.Errorf("making a token's secret: %w", err)
	}
	key, err := public.Raw()
	if err != nil {
		return JoinToken{}, nil, fmt.Errorf("making a token's secret: %w", err)
	}
	return JoinToken{
		Factory: factory, Secret: raw[:32], Name: name, Parent: parent, Addresses: plainAll(addresses, MaxAddresses, MaxAddress),
	}, key, nil
}

// String is the token as it is typed and pasted: one word of URL-safe letters,
// with a checksum, so that a letter that was lost is noticed here and not by
// a secret that is refused at the other end of the factory.
func (t JoinToken) String() string {
	// Marshal of a message of strings and bytes fails only on invalid UTF-8,
	// which names, IDs and addresses can't have.
	b, _ := proto.Marshal(&wire.JoinToken{
		Factory: string(t.Factory), Secret: t.Secret, Name: string(t.Name), Parent: string(t.Parent), Addresses: t.Addresses,
	})
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(summed(b))
}

// ParseJoinToken reads what String printed.
func ParseJoinToken(s string) (JoinToken, error) {
	bad := func(why string) (JoinToken, error) {
		return JoinToken{}, &Problem{
			Kind: Invalid, Doing: "reading the join token", Cause: why,
			Fix: "paste the whole line that 'pharos token create' printed at the root",
		}
	}
	s = strings.TrimSpace(s)
	rest, ours := strings.CutPrefix(s, tokenPrefix)
	switch {
	case s == "":
		return bad("it is empty")
	case !ours:
		return bad(fmt.Sprintf("it does not begin with %q", tokenPrefix))
	case len(s) > MaxToken:
		return bad("it is far too long")
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(rest)
	if b = unsummed(b); err != nil || len(b) == 0 {
		return bad("a part of it is missing or changed")
	}
	m := &wire.JoinToken{}
	if err := proto.Unmarshal(b, m); err != nil {
		return bad("a part of it is missing or changed")
	}
	t := JoinToken{
		Factory: NodeID(m.GetFactory()), Secret: m.GetSecret(), Parent: NodeID(m.GetParent()),
		Addresses: plainAll(m.GetAddresses(), MaxAddresses, MaxAddress),
	}
	if len(t.Secret) != 32 {
		return bad("a part of it is missing or changed")
	}
	for _, id := range []NodeID{t.Factory, t.Parent} {
		if _, err := id.Peer(); err != nil {
			return bad("a part of it is missing or changed")
		}
	}
	if t.Name, err = ParseName("node", m.GetName()); err != nil {
		return bad("a part of it is missing or changed")
	}
	return t, nil
}

// Request is the token's holder asking to join as the node of that key. A
// relay that sees it can't use it for another node, and learns no secret.
func (t JoinToken) Request(node crypto.PrivKey) (Sealed, error) {
	id, err := IDOf(node.GetPublic())
	if err != nil {
		return nil, err
	}
	seeded := ed25519.NewKeyFromSeed(t.Secret)
	private, public, err := crypto.KeyPairFromStdKey(&seeded)
	if err != nil {
		return nil, fmt.Errorf("using the token's secret: %w", err)
	}
	key, err := public.Raw()
	if err != nil {
		return nil, fmt.Errorf("using the token's secret: %w", err)
	}
	proof, err := seal(joinProofDocument(&wire.JoinProof{Factory: string(t.Factory), Node: string(id)}), private)
	if err != nil {
		return nil, err
	}
	return seal(joinRequestDocument(&wire.JoinRequest{TokenKey: key, Proof: proof}), node)
}

// OpenJoinRequest checks a request's two signatures, and gives the token's
// public key and the node that asks.
func OpenJoinRequest(request Sealed, factory NodeID) (tokenKey []byte, node NodeID, err error) {
	m := &wire.JoinRequest{}
	if node, err = open(request, joinRequestDocument(m), maxSmall); err != nil {
		return nil, "", err
	}
	proof := &wire.JoinProof{}
	signer, err := open(m.GetProof(), joinProofDocument(proof), maxSmall)
	if err != nil {
		return nil, "", err
	}
	refuse := func(why string) ([]byte, NodeID, error) {
		return nil, "", &Problem{Kind: Refused, Doing: "joining the factory", Cause: why, Fix: "ask for a token of this factory: pharos token create"}
	}
	public, err := crypto.UnmarshalEd25519PublicKey(m.GetTokenKey())
	if err != nil {
		return refuse("the token's key is no ed25519 key")
	}
	expected, err := IDOf(public)
	switch {
	case err != nil:
		return nil, "", err
	case signer != expected:
		return refuse("the proof is not signed with the token")
	case NodeID(proof.GetFactory()) != factory:
		return refuse(fmt.Sprintf("the token is of another factory, %s", NodeID(Clip(proof.GetFactory(), 80)).Short()))
	case NodeID(proof.GetNode()) != node:
		return refuse("the proof was made for another node")
	}
	return m.GetTokenKey(), node, nil
}
