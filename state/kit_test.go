package state

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
)

// What the tests of this room are made of: keys that are the same every time,
// a factory of three tiers, and nodes with ledgers.

// keyOf is the key of a name, always the same.
func keyOf(name string) crypto.PrivKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, name)
	std := ed25519.NewKeyFromSeed(seed)
	key, _, err := crypto.KeyPairFromStdKey(&std)
	if err != nil {
		panic(err)
	}
	return key
}

var ids sync.Map

func idOf(name string) NodeID {
	if id, has := ids.Load(name); has {
		return id.(NodeID)
	}
	id, err := IDOf(keyOf(name).GetPublic())
	if err != nil {
		panic(err)
	}
	ids.Store(name, id)
	return id
}

var (
	rootKey = keyOf("plant")
	root    = idOf("plant")
	when    = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

// place is where a node of the tests' factory is.
func place(name Name) Member {
	m := Member{ID: idOf(string(name)), Name: name}
	switch name {
	case "plant":
		m.Gateway = true
	case "line-1", "line-2":
		m.Gateway, m.Parent, m.Path = true, root, []Name{"plant"}
	case "press-1", "press-2":
		m.Parent, m.Path = idOf("line-1"), []Name{"plant", "line-1"}
	case "oven-1":
		m.Parent, m.Path = idOf("line-2"), []Name{"plant", "line-2"}
	default:
		m.Parent, m.Path = root, []Name{"plant"}
	}
	return m
}

func certOf(name Name) Certificate {
	m := place(name)
	return Certificate{
		Factory: root, ID: m.ID, Name: m.Name, Gateway: m.Gateway, Parent: m.Parent, ParentName: m.ParentName(),
		Issued: when, Expires: when.Add(CertificateLife),
	}
}

func sel(t testing.TB, s string) Selector {
	t.Helper()
	out, err := ParseSelector(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// app is what an order of an app says.
func app(t testing.TB, name Name, revision uint64, to string) func(*Order) {
	t.Helper()
	a := AppOrder{App: name, Revision: revision, Want: Run, Selector: sel(t, to), Compose: fmt.Appendf(nil, "%s %d", name, revision)}
	return func(o *Order) { o.App = &a }
}

func wanting(want Want, fill func(*Order)) func(*Order) {
	return func(o *Order) {
		fill(o)
		o.App.Want = want
	}
}

func member(name Name, groups ...Name) func(*Order) {
	m := place(name)
	m.Groups = groups
	return func(o *Order) { o.Member = &m }
}

// order is the root's, under any stamp.
func order(t testing.TB, number uint64, fill func(*Order)) Sealed {
	t.Helper()
	return orderAt(t, Stamp{1, number}, fill)
}

func orderAt(t testing.TB, s Stamp, fill func(*Order)) Sealed {
	t.Helper()
	o := Order{Factory: root, Issuer: root, Stamp: s, Issued: when}
	fill(&o)
	sealed, err := SealOrder(o, rootKey)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func memoryStore(t testing.TB) *Store {
	t.Helper()
	s, err := MemoryStore()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func diskStore(t testing.TB, data string) *Store {
	t.Helper()
	s, err := OpenStore(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// eachStore runs a test on disk and in memory.
func eachStore(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Run("disk", func(t *testing.T) { test(t, diskStore(t, t.TempDir())) })
	t.Run("memory", func(t *testing.T) { test(t, memoryStore(t)) })
}

func ledgerOn(t testing.TB, s *Store, name Name) *Ledger {
	t.Helper()
	l, damaged, err := OpenLedger(s, certOf(name), root)
	if err != nil || len(damaged) > 0 {
		t.Fatalf("opening the ledger of %s: %v, damaged %q", name, err, damaged)
	}
	return l
}

func ledgerOf(t testing.TB, name Name) *Ledger {
	t.Helper()
	return ledgerOn(t, memoryStore(t), name)
}

// issuer is the root's ledger with the roster in it: members 1.1, 1.2 ….
func issuer(t testing.TB, names ...Name) *Ledger {
	t.Helper()
	l := ledgerOf(t, "plant")
	for _, name := range append([]Name{"plant"}, names...) {
		issue(t, l, member(name))
	}
	return l
}

func issue(t testing.TB, l *Ledger, fill func(*Order)) Sealed {
	t.Helper()
	j, err := l.Issue(rootKey, func(o *Order) { o.Issued = when; fill(o) }, nil)
	if err != nil {
		t.Fatal(err)
	}
	return j.Sealed
}

// gossip gives a ledger one order and wants a verdict.
func gossip(t testing.TB, l *Ledger, sealed Sealed, want Verdict) Judged {
	t.Helper()
	j, err := l.FromGossip(sealed)
	if err != nil {
		t.Fatal(err)
	}
	if j.Verdict != want {
		t.Fatalf("order %s (%s) is %s, want %s", j.Order.Stamp, j.Order.Key(), j.Verdict, want)
	}
	return j
}

// answer asks the parent as the child's session would, and gives the answer.
func answer(t testing.TB, parent, child *Ledger) {
	t.Helper()
	after := child.Head()
	docs, through, err := parent.Missing(after, child.me, holding(child))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := child.FromSession(docs, after, &through); err != nil {
		t.Fatal(err)
	}
}

func holding(l *Ledger) func(string) bool {
	keys := l.Holds()
	return func(key string) bool { return slices.Contains(keys, key) }
}

func wantHead(t testing.TB, l *Ledger, number uint64) {
	t.Helper()
	if h := l.Head(); h.Number != number {
		t.Fatalf("the head is %s, want number %d", h, number)
	}
}

func wantKind(t testing.TB, err error, kind Kind) {
	t.Helper()
	if err == nil || KindOf(err) != kind {
		t.Fatalf("error %v is of kind %s, want %s", err, KindOf(err), kind)
	}
}

// contents is what two ledgers can be compared by.
func (l *Ledger) contents() map[string]string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	out := map[string]string{}
	for key, h := range l.entries {
		out[key] = fmt.Sprintf("%s %x missing=%v", h.ratchet.stamp, h.ratchet.hash[:4], h.missing)
	}
	return out
}

func wantSame(t testing.TB, a, b *Ledger) {
	t.Helper()
	if !maps.Equal(a.contents(), b.contents()) {
		t.Fatalf("the ledgers differ:\n%v\n%v", a.contents(), b.contents())
	}
}

// runsOf gives what a ledger assigns, "shop 2 run", and fails when it is not known.
func runsOf(t testing.TB, l *Ledger, runs ...Name) []string {
	t.Helper()
	had := map[Name]bool{}
	for _, r := range runs {
		had[r] = true
	}
	all, known, err := l.Assignments(had)
	if err != nil || !known {
		t.Fatalf("assignments: known %v, %v", known, err)
	}
	out := []string{}
	for _, a := range all {
		if (len(a.Compose) == 0) != (a.Want == Gone) {
			t.Errorf("%s is to be %s with a project of %d bytes", a.App, a.Want, len(a.Compose))
		}
		out = append(out, fmt.Sprintf("%s %d %s", a.App, a.Revision, a.Want))
	}
	return out
}

func flipped(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 0x40
	return b
}
