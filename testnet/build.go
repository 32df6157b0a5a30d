package testnet

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Product is the package of the product's binary.
const Product = "pharos/cmd/pharos"

// Build builds the product. It works anywhere below the module's folder; flags
// go to `go build`, "-race" for one.
func Build(ctx context.Context, to string, flags ...string) error {
	args := append(append([]string{"build"}, flags...), "-o", to, Product)
	cmd := exec.CommandContext(ctx, "go", args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("building %s: %w: %s", Product, err, strings.TrimSpace(said.String()))
	}
	return nil
}

// Beside gives the pharos binary that lies beside this program, "" when there
// is none: `make build` puts both into one folder.
func Beside() string {
	own, err := os.Executable()
	if err != nil {
		return ""
	}
	path := filepath.Join(filepath.Dir(own), "pharos")
	if info, err := os.Stat(path); err != nil || info.IsDir() {
		return ""
	}
	return path
}
