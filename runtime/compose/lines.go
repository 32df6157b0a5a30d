package compose

import (
	"bytes"
	"strconv"

	"go.yaml.in/yaml/v4"
)

// source is one file of a load, as read.
type source struct {
	name  string // as the operator gave it; "standard input" for "-"
	path  string // absolute; empty for standard input
	bytes []byte
}

// locate finds a key in the files, the last one that has it first: later files
// override. It gives "compose.yaml:12", or the first file's name alone when
// the key came from elsewhere (an include, a merge).
func locate(files []source, path []string) string {
	for i := len(files) - 1; i >= 0; i-- {
		var doc yaml.Node
		if yaml.NewDecoder(bytes.NewReader(files[i].bytes)).Decode(&doc) != nil || len(doc.Content) == 0 {
			continue
		}
		if line := lineOf(doc.Content[0], path); line > 0 {
			return files[i].name + ":" + strconv.Itoa(line)
		}
	}
	return files[0].name
}

// lineOf is the line of a path below a node, or of its deepest part that is
// there, if that is at least two keys deep ("services.web").
func lineOf(n *yaml.Node, path []string) int {
	line := 0
	for depth, key := range path {
		next, at := child(n, key)
		if next == nil {
			if depth >= 2 {
				return line
			}
			return 0
		}
		n, line = next, at
	}
	return line
}

func child(n *yaml.Node, key string) (*yaml.Node, int) {
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				return n.Content[i+1], n.Content[i].Line
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(key); err == nil && i >= 0 && i < len(n.Content) {
			return n.Content[i], n.Content[i].Line
		}
	}
	return nil, 0
}
