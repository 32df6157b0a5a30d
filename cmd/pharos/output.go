package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"go.yaml.in/yaml/v4"
)

// result is what a command shows, in all formats.
type result struct {
	value any            // of json and yaml
	names []string       // of name
	table func(t *table) // of table
	text  string         // of table, when a sentence says it better
	empty string         // what to do when there are no names
}

var formats = []string{"table", "json", "yaml", "name"}

// showFlags are those of every command with a result.
func showFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Category: "Output", DefaultText: "table", Usage: "`FORMAT` of the result: table, json, yaml or name"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Category: "Output", Usage: "names only, like -o name"},
		&cli.BoolFlag{Name: "no-trunc", Category: "Output", Usage: "don't cut long columns on a terminal"},
	}
}

func formatOf(c *cli.Context) (string, error) {
	format := c.String("output")
	switch {
	case format == "" && c.Bool("quiet"):
		return "name", nil
	case format == "":
		return "table", nil
	case !slices.Contains(formats, format):
		return "", misuse(fmt.Sprintf("%q is no format", format), "use -o table, json, yaml or name")
	}
	return format, nil
}

// show prints a result to stdout.
func (c *call) show(r result) error {
	switch c.format {
	case "json":
		return printJSON(c.screen.out, r.value)
	case "yaml":
		return printYAML(c.screen.out, r.value)
	case "name":
		for _, n := range r.names {
			c.say("%s", n)
		}
		return nil
	}
	if len(r.names) == 0 && r.empty != "" {
		c.note("%s", r.empty)
		return nil
	}
	if r.text != "" {
		c.say("%s", r.text)
		return nil
	}
	var t table
	r.table(&t)
	width := noWidth
	if c.screen.outTTY && !c.Bool("no-trunc") {
		width, _ = c.screen.size()
	}
	_, err := io.WriteString(c.screen.out, t.text(width, c.screen.outTTY && c.screen.colour))
	return err
}

func printJSON(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(value)
}

// printYAML prints what printJSON would, in the same names and order.
func printYAML(w io.Writer, value any) error {
	b, err := json.Marshal(value)
	if err != nil {
		return err
	}
	var node yaml.Node
	if err := yaml.Unmarshal(b, &node); err != nil { // JSON is YAML
		return err
	}
	block(&node)
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(&node); err != nil {
		return err
	}
	_, err = w.Write(out.Bytes())
	return err
}

// block turns JSON's way of writing into YAML's. Empty lists and maps stay in
// brackets: there is no other way to write them.
func block(n *yaml.Node) {
	switch {
	case n.Kind == yaml.ScalarNode && strings.Contains(n.Value, "\n"):
		n.Style = yaml.LiteralStyle
	case len(n.Content) > 0 || n.Kind == yaml.ScalarNode:
		n.Style = 0
	}
	for _, child := range n.Content {
		block(child)
	}
}
