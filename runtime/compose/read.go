package compose

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"pharos/state"
)

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// read takes in the files, within the limit. The folder is that of the first
// one: what relative paths in it are relative to.
func read(files []string, stdin io.Reader) (sources []source, folder string, err error) {
	if len(files) == 0 {
		return nil, "", &state.Problem{
			Kind: state.Invalid, Doing: "reading the Compose file", Cause: "none was given", Fix: "name it: -f compose.yaml, or - for standard input",
		}
	}
	seen := map[string]bool{}
	for _, f := range files {
		if seen[f] {
			return nil, "", &state.Problem{Kind: state.Invalid, Doing: "reading " + f, Cause: "it was given twice", Fix: "give it once"}
		}
		seen[f] = true
		var s source
		if f == "-" {
			s, err = readFrom("standard input", stdin)
		} else {
			s, err = readFile(f)
		}
		if err != nil {
			return nil, "", err
		}
		sources = append(sources, s)
	}
	if sources[0].path == "" {
		folder, err = os.Getwd()
	} else {
		folder = filepath.Dir(sources[0].path)
	}
	if err != nil {
		return nil, "", state.Because(state.Unable, "finding the folder of "+sources[0].name, err, "change to a folder that exists")
	}
	return sources, folder, nil
}

func readFile(name string) (source, error) {
	bad := func(cause, fix string, err error) (source, error) {
		return source{}, &state.Problem{Kind: state.Invalid, Doing: "reading " + state.Clip(name, 300), Cause: cause, Fix: fix, Err: err}
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return bad(err.Error(), "give its absolute path", err)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return bad("there is no such file", "name a Compose file: -f compose.yaml", err)
	case err != nil:
		return bad(err.Error(), "make it readable, or name another", err)
	case info.IsDir():
		return bad("it is a folder", "name the file in it: "+filepath.Join(name, "compose.yaml"), nil)
	case !info.Mode().IsRegular() && info.Mode().Type() != fs.ModeNamedPipe:
		return bad("it is no ordinary file", "name a Compose file: -f compose.yaml", nil)
	}
	f, err := os.Open(path)
	if err != nil {
		return bad(err.Error(), "make it readable, or name another", err)
	}
	defer f.Close() //nolint:errcheck // only read
	s, err := readFrom(name, f)
	s.path = path
	return s, err
}

func readFrom(name string, r io.Reader) (source, error) {
	if r == nil {
		r = bytes.NewReader(nil)
	}
	b, err := io.ReadAll(io.LimitReader(r, state.MaxCompose+1))
	if err != nil {
		return source{}, state.Because(state.Invalid, "reading "+name, err, "make it readable, or name another")
	}
	if len(b) > state.MaxCompose {
		return source{}, &state.Problem{
			Kind: state.Invalid, Doing: "reading " + name, Cause: fmt.Sprintf("it is over the limit of %d bytes", state.MaxCompose),
			Fix: "move data into an image, a volume or a file on the node",
		}
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return source{}, &state.Problem{
			Kind: state.Invalid, Doing: "reading " + name, Cause: "it is empty", Fix: "declare services under `services:`",
		}
	}
	return source{name: name, bytes: b}, nil
}
