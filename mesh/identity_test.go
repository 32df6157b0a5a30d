package mesh

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
)

func TestIdentity(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "identity")
	if _, err := LoadIdentity(path); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("absent file: %v", err)
	}
	made, err := CreateIdentity(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %04o", info.Mode().Perm())
	}
	loaded, err := LoadIdentity(path)
	if err != nil || !loaded.Equals(made) {
		t.Fatalf("loaded another key: %v", err)
	}
	before, _ := os.ReadFile(path)
	if _, err := CreateIdentity(path); !errors.Is(err, os.ErrExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("overwriting: %v", err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the file was changed")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("files left behind: %v", entries)
	}
	if _, err := CreateIdentity(filepath.Join(dir, "missing", "identity")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing directory: %v", err)
	}
}

func TestIdentityFilesThatAreRefused(t *testing.T) {
	rsa, _, err := crypto.GenerateSecp256k1Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := crypto.MarshalPrivateKey(rsa)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data, want string
		mode       os.FileMode
	}{
		"empty":        {"", "first line", 0o600},
		"not ours":     {"-----BEGIN KEY-----\nabc\n", "first line", 0o600},
		"not base64":   {identityHeader + "\n!!!\n", "base64", 0o600},
		"truncated":    {identityHeader + "\nCAES\n", "enrol this node anew", 0o600},
		"other type":   {identityHeader + "\n" + base64.StdEncoding.EncodeToString(raw), "not ed25519", 0o600},
		"too long":     {strings.Repeat("x", identityMaxBytes+1), "too long", 0o600},
		"others' eyes": {identityHeader + "\n", "chmod 600", 0o644},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "identity")
			if err := os.WriteFile(path, []byte(c.data), c.mode); err != nil {
				t.Fatal(err)
			}
			_, err := LoadIdentity(path)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v: want %q and the path", err, c.want)
			}
		})
	}
	if _, err := LoadIdentity(t.TempDir()); err == nil {
		t.Error("a directory was taken for a key file")
	}
}
