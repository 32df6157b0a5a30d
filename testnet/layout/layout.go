// Package layout holds the rules about which room of this repository may
// import which, and what lies at its top. Its test walks the import graph and
// fails with the reason when an arrow runs the wrong way.
//
// Use: Check takes packages (Load reads the real ones) and gives one line per
// breach; Top does the same for the names at the top of the repository. Both
// judge what they are given and nothing else, so that made-up graphs can show
// that they do fail.
//
// It refuses nothing that only tests import: a test may know everything.
package layout

import (
	"fmt"
	"slices"
	"strings"
)

// Package is one package of ours, as `go list -json` tells it.
type Package struct {
	Path    string   // below the module: "cmd/pharos/api"
	Name    string   // "api"
	Doc     string   // the first sentence of its doc; empty when it has none
	Ours    []string // packages of ours that it imports, as Path; tests not counted
	Foreign []string // all others that it imports
}

// room is a part of the tree with one rule: what of ours it may import besides
// itself, and why nothing else.
type room struct {
	path string
	may  []string
	why  string
}

// rooms are those of DESIGN §2. A package belongs to the longest path that it
// is below.
var rooms = []room{
	{"state", nil, "state holds the words that everything else is said in, so it can stand on nothing of ours"},
	{"mesh", nil, "mesh moves bytes between peers and must not know what they mean"},
	{"runtime", []string{"state"}, "runtime turns a Compose app into containers and must work with every link cut, so it knows neither mesh nor tiers"},
	{"tiers", []string{"mesh", "state"}, "tiers is the only room that knows both mesh and state; it reaches containers through its own small interface"},
	{"cmd/pharos", []string{"tiers", "runtime", "mesh", "state"}, "the product must not carry what only tests and demos need"},
	{"testnet", []string{"cmd/pharos/api", "tiers", "runtime", "mesh", "state"}, "testnet builds on the product; commands are driven as processes"},
	{"cmd/testnet", []string{"testnet", "cmd/pharos/api", "tiers", "runtime", "mesh", "state"}, "cmd/testnet is a thin driver of testnet"},
}

// keeper names the only places that may import a module, and why.
type keeper struct {
	module string
	by     []string
	why    string
}

var keepers = []keeper{
	{"github.com/docker/docker", []string{"runtime/docker"}, "the Docker client has had two names already; one package hides it"},
	{"github.com/moby/moby", []string{"runtime/docker"}, "the Docker client has had two names already; one package hides it"},
	{"github.com/dgraph-io/badger", []string{"state"}, "the store is one; whoever else opens Badger goes around its promises"},
	{"github.com/compose-spec/compose-go", []string{"runtime"}, "what a Compose file means is decided in one room"},
	{"github.com/libp2p/go-libp2p-pubsub", []string{"mesh", "testnet"}, "gossip is only right with the parameters that mesh sets"},
	{"github.com/urfave/cli", []string{"cmd"}, "rooms are called by commands, and don't read command lines"},
}

// grabBags are names of packages that say nothing of what is in them.
var grabBags = []string{"util", "utils", "common", "helper", "helpers", "types", "consts", "misc", "base", "shared"}

// Check gives one line per breach of the rules, sorted.
func Check(all []Package) []string {
	var out []string
	breach := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, p := range all {
		if slices.Contains(grabBags, p.Name) {
			breach("%s: a package called %q says nothing of what is in it; name it after its subject", p.Path, p.Name)
		}
		if p.Doc == "" {
			breach("%s: it has no package doc; say what it is, how it is used and what it refuses", p.Path)
		}
		own, known := roomOf(p.Path)
		if !known {
			breach("%s: it is in none of the rooms; DESIGN §2 names them", p.Path)
			continue
		}
		for _, imported := range p.Ours {
			if below(imported, own.path) || slices.ContainsFunc(own.may, func(may string) bool { return below(imported, may) }) {
				continue
			}
			breach("%s imports %s: %s", p.Path, imported, own.why)
		}
		for _, imported := range p.Foreign {
			for _, k := range keepers {
				if below(imported, k.module) && !slices.ContainsFunc(k.by, func(by string) bool { return below(p.Path, by) }) {
					breach("%s imports %s, which is for %s alone: %s", p.Path, imported, strings.Join(k.by, " and "), k.why)
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

func roomOf(path string) (room, bool) {
	var best room
	for _, r := range rooms {
		if below(path, r.path) && len(r.path) > len(best.path) {
			best = r
		}
	}
	return best, best.path != ""
}

// below says that a slash-separated path is another one or lies below it.
// Modules may have a version after their name: "badger/v4".
func below(path, top string) bool {
	return path == top || strings.HasPrefix(path, top+"/")
}

// top is everything that lies at the top of the repository, dot-files apart.
var top = []string{"LICENSE", "Makefile", "README.md", "cmd", "go.mod", "go.sum", "mesh", "runtime", "state", "testnet", "tiers"}

// built is what `make build` puts there; git ignores it.
const built = "bin"

// Top gives one line per name at the top of the repository that should not be
// there, or is missing.
func Top(names []string) []string {
	var out []string
	for _, name := range names {
		if !strings.HasPrefix(name, ".") && name != built && !slices.Contains(top, name) {
			out = append(out, fmt.Sprintf("%s: it has no place at the top of the repository; everything belongs to a room", name))
		}
	}
	for _, name := range top {
		if !slices.Contains(names, name) {
			out = append(out, name+": it is missing at the top of the repository")
		}
	}
	slices.Sort(out)
	return out
}
