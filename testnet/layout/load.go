package layout

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
)

// Load reads all packages of the module whose top folder is dir. Packages that
// are nothing but tests are left out: nobody can import them.
func Load(ctx context.Context, dir string) ([]Package, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-json=ImportPath,Name,Doc,Imports,GoFiles,Module", "./...")
	cmd.Dir = dir
	var said bytes.Buffer
	cmd.Stderr = &said
	listed, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("listing the packages of %s: %w: %s", dir, err, strings.TrimSpace(said.String()))
	}
	var out []Package
	for d := json.NewDecoder(bytes.NewReader(listed)); ; {
		var p struct {
			ImportPath, Name, Doc string
			Imports, GoFiles      []string
			Module                struct{ Path string }
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, fmt.Errorf("reading go list: %w", err)
		}
		if len(p.GoFiles) == 0 {
			continue
		}
		ours := p.Module.Path + "/"
		pkg := Package{Path: strings.TrimPrefix(p.ImportPath, ours), Name: p.Name, Doc: p.Doc}
		for _, imported := range p.Imports {
			if path, is := strings.CutPrefix(imported, ours); is {
				pkg.Ours = append(pkg.Ours, path)
			} else {
				pkg.Foreign = append(pkg.Foreign, imported)
			}
		}
		slices.Sort(pkg.Ours)
		out = append(out, pkg)
	}
}
