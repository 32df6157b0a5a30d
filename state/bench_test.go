package state

import (
	"fmt"
	"testing"
)

func BenchmarkFromGossip(b *testing.B) {
	for name, store := range map[string]*Store{"disk": diskStore(b, b.TempDir()), "memory": memoryStore(b)} {
		b.Run(name, func(b *testing.B) {
			l := ledgerOn(b, store, "line-1")
			orders := make([]Sealed, 0, b.N)
			first := l.Head().Number
			for n := range uint64(b.N) {
				orders = append(orders, order(b, first+n+1, app(b, Name(fmt.Sprintf("app-%d", n%20)), first+n+1, "all")))
			}
			b.ResetTimer()
			for _, sealed := range orders {
				if j, err := l.FromGossip(sealed); err != nil || j.Verdict != Fresh {
					b.Fatal(j.Verdict, err)
				}
			}
		})
	}
}

// tenThousand is the root's ledger of a factory of 100 gateways with 99 cells
// each, and 50 apps.
func tenThousand(b *testing.B, s *Store) *Ledger {
	b.Helper()
	l := ledgerOn(b, s, "plant")
	if _, known := l.Self(); known {
		return l
	}
	issue(b, l, member("plant"))
	batch := func(fill func(*Order)) { issue(b, l, fill) }
	for g := range 100 {
		gateway := Name(fmt.Sprintf("line-%d", g+1))
		gid := idOf(string(gateway))
		batch(func(o *Order) {
			o.Member = &Member{ID: gid, Name: gateway, Gateway: true, Parent: root, Path: []Name{"plant"}}
		})
		for c := range 99 {
			name := Name(fmt.Sprintf("cell-%d-%d", g+1, c))
			batch(func(o *Order) {
				o.Member = &Member{ID: idOf(string(name)), Name: name, Parent: gid, Path: []Name{"plant", gateway}, Labels: map[string]string{"arch": "arm64"}}
			})
		}
	}
	for n := range 50 {
		batch(app(b, Name(fmt.Sprintf("app-%d", n)), 1, "tier:line-1,label:arch=arm64"))
	}
	return l
}

func BenchmarkTenThousandMembers(b *testing.B) {
	s := memoryStore(b)
	l := tenThousand(b, s)
	line, cell := certOf("line-1"), certOf("press-1")
	cell.ID, cell.Name = idOf("cell-1-7"), "cell-1-7"
	nothing := func(string) bool { return false }
	missing := func(after Head, child Certificate, want int) func(*testing.B) {
		return func(b *testing.B) {
			for b.Loop() {
				if docs, _, err := l.Missing(after, child, nothing); err != nil || len(docs) != want {
					b.Fatal(len(docs), err)
				}
			}
		}
	}
	last := l.Head()
	b.Run("MissingAll/gateway", missing(Head{}, line, 150))
	b.Run("MissingAll/cell", missing(Head{}, cell, 51))
	b.Run("MissingOne/gateway", missing(Head{last.Epoch, last.Number - 1}, line, 1))
	b.Run("MissingNone/cell", missing(last, cell, 0))
	b.Run("Holding/root", func(b *testing.B) {
		for b.Loop() {
			l.Holding(line)
		}
	})
	b.Run("Members", func(b *testing.B) {
		for b.Loop() {
			l.Members()
		}
	})
	b.Run("Open", func(b *testing.B) {
		for b.Loop() {
			ledgerOn(b, s, "plant")
		}
	})
}
