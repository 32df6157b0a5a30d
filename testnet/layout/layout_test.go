package layout

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// repository is the top folder, from this package's.
const repository = "../.."

func TestArrowsRunTheRightWay(t *testing.T) {
	all, err := Load(t.Context(), repository)
	if err != nil {
		t.Fatal(err)
	}
	if i := slices.IndexFunc(all, func(p Package) bool { return p.Path == "tiers" }); i < 0 || !slices.Contains(all[i].Ours, "state") {
		t.Fatalf("the graph was not read: tiers imports state, and of %d packages none says so", len(all))
	}
	for _, breach := range Check(all) {
		t.Error(breach)
	}
}

func TestTopOfTheRepository(t *testing.T) {
	entries, err := os.ReadDir(filepath.FromSlash(repository))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	for _, breach := range Top(names) {
		t.Error(breach)
	}
}

// The checker has to be able to fail: each of these graphs is wrong in one way.
func TestCheckFindsBreaches(t *testing.T) {
	pkg := func(path string, imports ...string) Package {
		p := Package{Path: path, Name: path[strings.LastIndexByte(path, '/')+1:], Doc: "Package p does something."}
		for _, i := range imports {
			if strings.Contains(i, ".") {
				p.Foreign = append(p.Foreign, i)
			} else {
				p.Ours = append(p.Ours, i)
			}
		}
		return p
	}
	for name, c := range map[string]struct {
		graph Package
		want  string // in the one line; empty: no breach
	}{
		"runtime → mesh":             {pkg("runtime", "state", "mesh"), "runtime imports mesh: runtime turns"},
		"runtime/docker → tiers":     {pkg("runtime/docker", "tiers"), "runtime/docker imports tiers"},
		"runtime → tiers/wire":       {pkg("runtime", "tiers/wire"), "runtime imports tiers/wire"},
		"mesh → state":               {pkg("mesh", "state"), "mesh imports state: mesh moves bytes"},
		"state → mesh":               {pkg("state", "state/wire", "mesh"), "state imports mesh"},
		"state/wire → tiers/wire":    {pkg("state/wire", "tiers/wire"), "state/wire imports tiers/wire"},
		"tiers → runtime":            {pkg("tiers", "mesh", "state", "runtime"), "tiers imports runtime"},
		"tiers → testnet":            {pkg("tiers", "testnet/network"), "tiers imports testnet/network"},
		"product → testnet":          {pkg("cmd/pharos", "tiers", "testnet"), "cmd/pharos imports testnet: the product"},
		"product's API → testnet":    {pkg("cmd/pharos/api", "testnet/image"), "cmd/pharos/api imports testnet/image"},
		"product → driver":           {pkg("cmd/pharos", "cmd/testnet"), "cmd/pharos imports cmd/testnet"},
		"testnet → its driver":       {pkg("testnet", "cmd/testnet"), "testnet imports cmd/testnet"},
		"Docker outside its package": {pkg("runtime", "github.com/docker/docker/client"), "runtime imports github.com/docker/docker/client, which is for runtime/docker alone"},
		"Docker in testnet":          {pkg("testnet/image", "github.com/docker/docker/api/types"), "for runtime/docker alone"},
		"Badger outside state":       {pkg("tiers", "github.com/dgraph-io/badger/v4"), "for state alone"},
		"Compose outside runtime":    {pkg("cmd/pharos", "github.com/compose-spec/compose-go/v2/loader"), "for runtime alone"},
		"flags outside commands":     {pkg("testnet", "github.com/urfave/cli/v2"), "for cmd alone"},
		"grab bag":                   {pkg("state/util"), `a package called "util"`},
		"no doc":                     {Package{Path: "mesh/frames", Name: "frames"}, "mesh/frames: it has no package doc"},
		"no room":                    {pkg("internal/thing"), "internal/thing: it is in none of the rooms"},
		"no room, but a like name":   {pkg("meshes"), "meshes: it is in none of the rooms"},

		"tiers as it should be":   {pkg("tiers", "mesh", "state", "tiers/wire", "state/wire", "github.com/libp2p/go-libp2p"), ""},
		"runtime as it should be": {pkg("runtime/docker", "runtime", "runtime/compose", "state", "github.com/docker/docker/client"), ""},
		"product as it should be": {pkg("cmd/pharos", "cmd/pharos/api", "tiers", "runtime/docker", "state", "github.com/urfave/cli/v2"), ""},
		"testnet as it should be": {pkg("testnet/simulation", "testnet/network", "tiers", "mesh", "state", "cmd/pharos/api"), ""},
		"state as it should be":   {pkg("state", "state/wire", "github.com/dgraph-io/badger/v4"), ""},
		"driver as it should be":  {pkg("cmd/testnet", "testnet", "github.com/urfave/cli/v2"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := Check([]Package{c.graph})
			switch {
			case c.want == "" && len(got) > 0:
				t.Errorf("nothing is wrong with it, and Check says %q", got)
			case c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)):
				t.Errorf("Check gives %q, want one line with %q", got, c.want)
			}
		})
	}
}

func TestTopFindsBreaches(t *testing.T) {
	right := append(slices.Clone(top), ".gitignore", ".ci", "bin")
	if got := Top(right); len(got) > 0 {
		t.Errorf("nothing is wrong, and Top says %q", got)
	}
	if got := Top(append(slices.Clone(right), "pkg")); len(got) != 1 || !strings.Contains(got[0], "pkg: it has no place") {
		t.Errorf("Top gives %q for a folder pkg", got)
	}
	if got := Top(right[1:]); len(got) != 1 || !strings.Contains(got[0], right[0]+": it is missing") {
		t.Errorf("Top gives %q without %s", got, right[0])
	}
}
