package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"pharos/state"
)

// This file puts a command line into the only order that urfave/cli reads:
// the command, its flags, its arguments. Everywhere else flags may stand
// anywhere: 'pharos --data DIR app ps shop -o json'.

const completionFlag = "--generate-bash-completion"

// given is a flag of the command line, with its value when it takes one.
type given struct {
	name, value string
	known       bool // of some command
	valued      bool // value is set
}

// arrange puts args in order, and refuses commands and flags that don't exist.
func arrange(commands []*cli.Command, args []string) ([]string, error) {
	if len(args) > 0 && args[len(args)-1] == completionFlag {
		return args, nil // half a command line: urfave/cli completes it
	}
	known := takesValue(commands)
	words, flags, err := split(args, known)
	if err != nil {
		return nil, err
	}
	help := false
	if len(words) > 0 && words[0] == "help" {
		help, words = true, words[1:]
	}
	var path []string
	var leaf *cli.Command
	for len(words) > 0 && len(commands) > 0 {
		i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(words[0]) })
		if i < 0 {
			// An unknown flag may have taken the place of the command with its value.
			for _, f := range flags {
				if !f.known {
					return nil, unknownFlag(path, f.name, slices.Collect(maps.Keys(known)))
				}
			}
			return nil, unknownCommand(path, words[0], commands)
		}
		leaf = commands[i]
		path, words, commands = append(path, leaf.Name), words[1:], leaf.Subcommands
	}
	for _, f := range flags {
		help = help || f.name == "help" || f.name == "h"
	}
	if help {
		return append(path, "--help"), nil
	}
	allowed := append(flagNames(commonFlags()), "version", "v")
	if leaf != nil {
		allowed = append(flagNames(leaf.Flags), "help")
	}
	out := path
	for _, f := range flags {
		if leaf != nil && len(leaf.Subcommands) > 0 {
			break // its help comes, whatever the flags are
		}
		if !slices.Contains(allowed, f.name) {
			return nil, unknownFlag(path, f.name, allowed)
		}
		out = append(out, f.String())
	}
	if len(words) > 0 {
		out = append(append(out, "--"), words...)
	}
	return out, nil
}

func (f given) String() string {
	if f.valued {
		return "--" + f.name + "=" + f.value
	}
	return "--" + f.name
}

// split separates the flags from the words. valued says which flags take a
// value, over all commands: a flag means the same in each that has it.
func split(args []string, valued map[string]bool) (words []string, flags []given, err error) {
	for i := 0; i < len(args); i++ {
		a := args[i]
		if a == "--" {
			return append(words, args[i+1:]...), flags, nil
		}
		if len(a) < 2 || a[0] != '-' {
			words = append(words, a)
			continue
		}
		f := given{}
		f.name, f.value, f.valued = strings.Cut(strings.TrimPrefix(a[1:], "-"), "=")
		takes, known := valued[f.name]
		if letter := f.name[:min(1, len(f.name))]; !known && a[1] != '-' && valued[letter] { // -ojson
			takes, known, f = true, true, given{name: letter, value: a[2:], valued: true}
		}
		f.known = known
		if takes && !f.valued {
			if i++; i == len(args) || followsFlag(args[i], valued) {
				return nil, nil, misuse(fmt.Sprintf("the flag %s needs a value", dashed(f.name)), fmt.Sprintf("write it like %s=VALUE", dashed(f.name)))
			}
			f.value, f.valued = args[i], true
		}
		flags = append(flags, f)
	}
	return words, flags, nil
}

// followsFlag says that what stands where a value should is a flag itself.
func followsFlag(a string, valued map[string]bool) bool {
	if len(a) < 2 || a[0] != '-' {
		return false
	}
	name, _, _ := strings.Cut(strings.TrimLeft(a, "-"), "=")
	_, known := valued[name]
	return known
}

// takesValue says of each flag of all commands whether it takes a value.
func takesValue(commands []*cli.Command) map[string]bool {
	out := map[string]bool{"help": false, "h": false, "version": false, "v": false}
	add := func(flags []cli.Flag) {
		for _, f := range flags {
			_, isBool := f.(*cli.BoolFlag)
			for _, n := range f.Names() {
				out[n] = !isBool
			}
		}
	}
	add(commonFlags())
	for _, c := range commands {
		add(c.Flags)
		for _, sub := range c.Subcommands {
			add(sub.Flags)
		}
	}
	return out
}

func flagNames(flags []cli.Flag) []string {
	var out []string
	for _, f := range flags {
		out = append(out, f.Names()...)
	}
	return out
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

func unknownFlag(path []string, name string, known []string) error {
	command := strings.Join(append([]string{"pharos"}, path...), " ")
	fix := fmt.Sprintf("see '%s --help'", command)
	if near := nearest(name, known); near != "" {
		fix = fmt.Sprintf("did you mean %s? %s", dashed(near), fix)
	}
	return misuse(fmt.Sprintf("'%s' has no flag %s", command, dashed(state.Clip(name, 40))), fix)
}

// usual is what people type who come from other tools.
var usual = map[string]string{
	"list": "ls", "ps": "app ps", "delete": "rm", "remove": "rm", "show": "inspect", "describe": "inspect",
	"up": "deploy", "apply": "deploy", "plan": "deploy --dry-run", "nodes": "node ls", "apps": "app ls", "groups": "group ls",
	"start": "app start", "stop": "app stop", "history": "app history", "daemon": "run", "agent": "run", "enrol": "join",
}

func unknownCommand(path []string, word string, commands []*cli.Command) error {
	command := strings.Join(append([]string{"pharos"}, path...), " ")
	var known []string
	for _, c := range commands {
		known = append(known, c.Name)
	}
	near := nearest(word, known)
	if other, ok := usual[word]; ok && near == "" {
		if first, _, _ := strings.Cut(other, " "); slices.Contains(known, first) {
			near = other
		}
	}
	fix := fmt.Sprintf("see '%s --help'", command)
	if near != "" {
		fix = fmt.Sprintf("did you mean '%s %s'? %s", command, near, fix)
	}
	return misuse(fmt.Sprintf("'%s' has no command %q", command, state.Clip(word, 40)), fix)
}

// nearest is the known word that was probably meant, or nothing.
func nearest(word string, known []string) string {
	best, least := "", max(1, len(word)/3)+1
	slices.Sort(known)
	for _, k := range known {
		d := distance(word, k)
		if len(word) >= 3 && strings.HasPrefix(k, word) {
			d = 1
		}
		if len(k) > 1 && d < least {
			best, least = k, d
		}
	}
	return best
}

// distance counts the letters to change, add, drop or swap between two words.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
