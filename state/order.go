package state

import (
	"cmp"
	"fmt"
	"time"
)

// Stamp is a document's place in its issuer's ledger, DESIGN's (epoch,
// revision): "1.42". It only ever rises; numbers go on over epochs, one by one.
type Stamp struct {
	Epoch  uint64 `json:"epoch"`
	Number uint64 `json:"number"`
}

// Compare is negative when s is older than t.
func (s Stamp) Compare(t Stamp) int {
	return cmp.Or(cmp.Compare(s.Epoch, t.Epoch), cmp.Compare(s.Number, t.Number))
}

// Before says that s is older than t.
func (s Stamp) Before(t Stamp) bool { return s.Compare(t) < 0 }

// Next is the stamp after s in the same epoch; the first one is 1.1.
func (s Stamp) Next() Stamp { return Stamp{Epoch: max(s.Epoch, 1), Number: s.Number + 1} }

func (s Stamp) String() string { return fmt.Sprintf("%d.%d", s.Epoch, s.Number) }

// Head is the stamp of an issuer's ledger up to which nothing is missing.
type Head = Stamp

// Want is what an order wants of an app.
type Want string

// What can be wanted of an app.
const (
	Run     Want = "run"
	Stopped Want = "stopped" // containers stopped, kept
	Gone    Want = "gone"    // containers and networks removed, volumes kept
)

// Valid says whether w is one of the three.
func (w Want) Valid() bool { return w == Run || w == Stopped || w == Gone }

// Order is a document of an issuer: of one app, or of one roster member.
// Exactly one of App and Member is set.
type Order struct {
	Factory NodeID
	Issuer  NodeID
	Stamp   Stamp
	Issued  time.Time // for people only; milliseconds
	App     *AppOrder
	Member  *Member
}

// AppOrder wants something of one app on the nodes that a selector names.
type AppOrder struct {
	App      Name
	Revision uint64 // 1, 2, 3 …: which deploy of the app this is
	Want     Want
	Selector Selector
	Compose  []byte // the normalised project, as room runtime reads it; empty when Gone
}

// Key is what an order is about, within its issuer: of two orders with the
// same key the newer replaces the older. "app/shop", "member/12D3KooW…".
func (o Order) Key() string {
	if o.App != nil {
		return appKey(o.App.App)
	}
	return memberKey(o.Member.ID)
}

func appKey(app Name) string     { return "app/" + string(app) }
func memberKey(id NodeID) string { return "member/" + string(id) }

// Assignment is what a node's ledger wants of one app on this very node.
type Assignment struct {
	App      Name
	Revision uint64
	Want     Want
	Stamp    Stamp  // of the order behind it
	Compose  []byte // empty when Gone
}

// Limits of documents, in bytes. A Compose project of a megabyte is far beyond
// anything real.
const (
	MaxCompose = 1 << 20
	MaxOrder   = MaxCompose + MaxSelector + 8<<10
)
