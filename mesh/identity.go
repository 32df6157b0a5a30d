package mesh

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/libp2p/go-libp2p/core/crypto"
)

const (
	// identityHeader is the first line of a key file: it tells a person what the
	// file is, and a reader which form it has.
	identityHeader = "pharos-ed25519-private-key-1"
	// identityMaxBytes bounds what is read: a real file has about 120 bytes.
	identityMaxBytes = 4096
)

// LoadIdentity reads an ed25519 private key from the file at path. The error
// wraps [os.ErrNotExist] when there is no file, says so when others than its
// owner may read it, and when its content is no key of ours.
func LoadIdentity(path string) (crypto.PrivKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("load identity: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("load identity %s: not a regular file (%s): point to the node's key file", path, info.Mode())
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("load identity %s: mode %04o lets others use the node's private key: run chmod 600 %s (and enrol the node anew if others had access)",
			path, info.Mode().Perm(), path)
	}
	if info.Size() > identityMaxBytes {
		return nil, corruptIdentity(path, fmt.Errorf("%d bytes is too long", info.Size()))
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load identity: %w", err)
	}
	key, err := parseIdentity(data)
	if err != nil {
		return nil, corruptIdentity(path, err)
	}
	return key, nil
}

func corruptIdentity(path string, cause error) error {
	return fmt.Errorf("load identity %s: not a valid key file: %w; restore it from a backup, or move it away and enrol this node anew", path, cause)
}

func parseIdentity(data []byte) (crypto.PrivKey, error) {
	header, body, ok := bytes.Cut(data, []byte("\n"))
	if !ok || string(header) != identityHeader {
		return nil, fmt.Errorf("its first line is not %q", identityHeader)
	}
	raw, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(body)))
	if err != nil {
		return nil, fmt.Errorf("its second line is not base64: %w", err)
	}
	key, err := crypto.UnmarshalPrivateKey(raw)
	if err != nil {
		return nil, err
	}
	if _, ok := key.(*crypto.Ed25519PrivateKey); !ok {
		return nil, fmt.Errorf("the key is of type %s, not ed25519", key.Type())
	}
	return key, nil
}

// CreateIdentity makes a new ed25519 key and writes it durably to path, readable
// by its owner only. It refuses, with an error that wraps [os.ErrExist], when
// path exists already: a node's identity is never overwritten. The directory
// must exist. After a crash there is either the whole file or none.
func CreateIdentity(path string) (crypto.PrivKey, error) {
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("create identity: generate key: %w", err)
	}
	raw, err := crypto.MarshalPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("create identity: encode key: %w", err)
	}
	text := identityHeader + "\n" + base64.StdEncoding.EncodeToString(raw) + "\n"
	if err := writeNew(path, []byte(text)); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("create identity %s: there is a file already, and a node's identity is never overwritten: use it, or move it away first: %w", path, fs.ErrExist)
		}
		return nil, fmt.Errorf("create identity %s: %w", path, err)
	}
	return key, nil
}

// writeNew writes data to a file that must not exist yet: temporary file, fsync,
// link (which, unlike rename, fails when the name is taken), fsync of the directory.
func writeNew(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*") // made with mode 0600
	if err != nil {
		return err
	}
	defer func() {
		_ = tmp.Close() // what matters was synced
		_ = os.Remove(tmp.Name())
	}()
	if _, err := tmp.Write(data); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return err
		}
		// Some file systems (FAT, a few network ones) have no hard links.
		if _, statErr := os.Lstat(path); !errors.Is(statErr, fs.ErrNotExist) {
			return fs.ErrExist
		}
		if err := os.Rename(tmp.Name(), path); err != nil {
			return err
		}
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
