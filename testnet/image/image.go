// Package image builds the one small image of tests and demos, from scratch:
// around a static program of ours (specimen/main.go), compiled on the spot from
// its embedded source with the go command on the PATH. No registry, no base
// image, no Dockerfile.
//
// It is quick the second time: the image bears a label with the hash of its
// source, and is left as it is when that is the one wanted.
package image

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"

	"pharos/runtime/docker"
	"pharos/state"
)

// Ref is what the image is called unless somebody wants another name.
const Ref = "pharos-specimen:1"

// labelSource is the image's label with the hash of what it was made of.
const labelSource = "pharos.specimen"

//go:embed specimen/main.go
var program []byte

// Build makes the image and names it ref in the engine at host. Labels beyond
// its own ("version=2") make another image of the same program.
func Build(ctx context.Context, host, ref string, labels ...string) error {
	e, err := docker.New(host, nil)
	if err != nil {
		return err
	}
	defer e.Close() //nolint:errcheck // idle connections, no more
	return Into(ctx, e, ref, labels...)
}

// Into is Build, into an engine that is already there.
func Into(ctx context.Context, e *docker.Engine, ref string, labels ...string) error {
	bad := func(doing string, err error, fix string) error {
		return state.Because(state.Unable, doing+" for the image "+ref, err, fix)
	}
	sum := sha256.Sum256(append(append([]byte(goruntime.Version()+goruntime.GOARCH), program...), strings.Join(labels, "\n")...))
	hash := hex.EncodeToString(sum[:])
	if have, err := e.ImageLabel(ctx, ref, labelSource); err != nil {
		return bad("asking the engine", err, "start a Docker Engine")
	} else if have == hash {
		return nil
	}
	binary, err := compile(ctx)
	if err != nil {
		return bad("compiling the program", err, "put the go command on the PATH")
	}
	rootfs, err := archive(binary)
	if err != nil {
		return bad("packing the program", err, "")
	}
	changes := []string{`ENTRYPOINT ["/specimen"]`, `CMD ["serve"]`, "LABEL " + labelSource + "=" + hash}
	for _, l := range labels {
		changes = append(changes, "LABEL "+l)
	}
	if err := e.Import(ctx, ref, rootfs, changes); err != nil {
		return bad("importing the program", err, "start a Docker Engine")
	}
	return nil
}

// compile gives a static Linux program.
func compile(ctx context.Context) ([]byte, error) {
	dir, err := os.MkdirTemp("", "specimen-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	for name, text := range map[string][]byte{"main.go": program, "go.mod": []byte("module specimen\n\ngo 1.22\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return nil, err
		}
	}
	out := filepath.Join(dir, "specimen")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=", "GOWORK=off", "GO111MODULE=on")
	if said, err := cmd.CombinedOutput(); err != nil {
		return nil, state.Because(state.Unable, "running go build", err, strings.TrimSpace(state.Clip(string(said), 1000)))
	}
	return os.ReadFile(out)
}

func archive(binary []byte) (*bytes.Buffer, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	entries := []tar.Header{
		{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777},
		{Name: "specimen", Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(binary))},
	}
	for _, h := range entries {
		if err := w.WriteHeader(&h); err != nil {
			return nil, err
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := w.Write(binary); err != nil {
				return nil, err
			}
		}
	}
	return &b, w.Close()
}
