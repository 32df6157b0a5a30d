package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// A command line means the same, wherever its flags stand.
func TestFlagsStandAnywhere(t *testing.T) {
	p := &program{}
	for _, test := range []struct{ line, want string }{
		{"node label press-7 a=b --data /d", "node label --data=/d -- press-7 a=b"},
		{"--data /d node label press-7 a=b", "node label --data=/d -- press-7 a=b"},
		{"node --data=/d label press-7 a=b", "node label --data=/d -- press-7 a=b"},
		{"node label --data /d press-7 a=b c-", "node label --data=/d -- press-7 a=b c-"},
		{"app ps shop -o json", "app ps --o=json -- shop"},
		{"app ps shop -ojson", "app ps --o=json -- shop"},
		{"app ps shop -output=json", "app ps --output=json -- shop"},
		{"-o json app ps shop", "app ps --o=json -- shop"},
		{"app -q ps shop --no-trunc", "app ps --q --no-trunc -- shop"},
		{"deploy -f - --to !a,all -f b.yaml", "deploy --f=- --to=!a,all --f=b.yaml"},
		{"join - --data d", "join --data=d -- -"},
		{"run --mdns=false --listen /ip4/1.2.3.4/tcp/1 --listen=/x", "run --mdns=false --listen=/ip4/1.2.3.4/tcp/1 --listen=/x"},
		{"token create --gateway --name line-1", "token create --gateway --name=line-1"},
		{"group create -- -odd", "group create -- -odd"},
		{"group create help", "group create -- help"},
		{"help", "--help"},
		{"help app ps", "app ps --help"},
		{"app ps -h shop", "app ps --help"},
		{"app --help", "app --help"},
		{"--version", "--version"},
		{"", ""},
		{"node ls --generate-bash-completion", "node ls --generate-bash-completion"},
	} {
		got, err := arrange(p.app().Commands, strings.Fields(test.line))
		if err != nil || strings.Join(got, " ") != test.want {
			t.Errorf("%q became %q, %v; want %q", test.line, strings.Join(got, " "), err, test.want)
		}
	}
}

func TestMistypedLines(t *testing.T) {
	d := newDesk(t, nil)
	for _, test := range []struct{ line, says string }{
		{"nod", "pharos: 'pharos' has no command \"nod\"; did you mean 'pharos node'? see 'pharos --help'\n"},
		{"node list", "pharos: 'pharos node' has no command \"list\"; did you mean 'pharos node ls'? see 'pharos node --help'\n"},
		{"stop shop", "pharos: 'pharos' has no command \"stop\"; did you mean 'pharos app stop'? see 'pharos --help'\n"},
		{"xyzzy", "pharos: 'pharos' has no command \"xyzzy\"; see 'pharos --help'\n"},
		{"help xyzzy", "pharos: 'pharos' has no command \"xyzzy\"; see 'pharos --help'\n"},
		{"node ls --outptu json", "pharos: 'pharos node ls' has no flag --outptu; did you mean --output? see 'pharos node ls --help'\n"},
		{"--tiemout 3m app ps shop", "pharos: 'pharos' has no flag --tiemout; did you mean --timeout? see 'pharos --help'\n"},
		{"node ls --timeout 3m", "pharos: 'pharos node ls' has no flag --timeout; see 'pharos node ls --help'\n"},
		{"app ps", "pharos: 'pharos app ps' needs APP; usage: pharos app ps APP [flags]\n"},
		{"group add painting", "pharos: 'pharos group add' needs GROUP NODE…; usage: pharos group add GROUP NODE… [flags]\n"},
		{"app ps a b", "pharos: 'pharos app ps' can do nothing with \"b\"; usage: pharos app ps APP [flags]\n"},
		{"app ps a -o xml", "pharos: \"xml\" is no format; use -o table, json, yaml or name\n"},
		{"app ps a -o", "pharos: the flag -o needs a value; write it like -o=VALUE\n"},
		{"app ps a -o --data d", "pharos: the flag -o needs a value; write it like -o=VALUE\n"},
		{"deploy --timeout soon", "pharos: invalid value \"soon\" for flag -timeout: parse error; see 'pharos deploy --help'\n"},
		{"run --mdns=perhaps", "pharos: invalid boolean value \"perhaps\" for -mdns: parse error; see 'pharos run --help'\n"},
		{"tree --host tcp://x", "pharos: reading the host \"tcp://x\": it does not begin with unix://; write it like unix:///var/lib/pharos/pharos.sock, with --host or PHAROS_HOST\n"},
		{"app ps Shop", "pharos: reading the app name \"Shop\": it has a character that names can't have; use 1 to 63 lower-case letters, digits, '-' and '_', beginning with a letter or digit, like press-7\n"},
		{"completion fish", "pharos: there is no completion for \"fish\"; use bash or zsh\n"},
	} {
		d.want(1, "", test.says, strings.Fields(test.line)...)
	}
}

func TestDataAndHost(t *testing.T) {
	d := newDesk(t, nil)
	code, _, errs := d.run("tree")
	if code != 1 || errs != "pharos: no pharos daemon answers at unix://"+d.data+"/pharos.sock; start it with 'pharos run --data "+d.data+"', or point to another with --data or --host\n" {
		t.Errorf("%d %s", code, errs)
	}
	for _, test := range []struct{ data, host, says string }{
		{"/nowhere", "", "unix:///nowhere/pharos.sock"},
		{"/nowhere", "unix:///else/where", "unix:///else/where"},
	} {
		t.Setenv("PHAROS_DATA", test.data)
		t.Setenv("PHAROS_HOST", test.host)
		d.program.run(t.Context(), []string{"tree"})
		if errs := d.err.take(); !strings.Contains(errs, test.says) {
			t.Errorf("%v: %s", test, errs)
		}
		d.program.run(t.Context(), []string{"tree", "--host", "unix:///flag/wins"})
		if errs := d.err.take(); !strings.Contains(errs, "unix:///flag/wins") {
			t.Errorf("%v: %s", test, errs)
		}
		// The flag of the folder beats the variable of the socket, too.
		d.program.run(t.Context(), []string{"tree", "--data", "/folder/named"})
		if errs := d.err.take(); !strings.Contains(errs, "unix:///folder/named/pharos.sock") {
			t.Errorf("%v: %s", test, errs)
		}
	}
}

// A flag takes a value in every command that has it or in none, and every
// command explains itself with an example.
func TestCommandsAreWhole(t *testing.T) {
	p := &program{}
	takes := map[string]bool{}
	var walk func(path string, commands []*cli.Command)
	walk = func(path string, commands []*cli.Command) {
		for _, c := range commands {
			if len(c.Subcommands) > 0 {
				walk(path+c.Name+" ", c.Subcommands)
				continue
			}
			if c.Usage == "" || !strings.Contains(c.Description, "Example:\n\n    ") || !strings.HasPrefix(c.UsageText, "pharos "+path+c.Name) {
				t.Errorf("%s%s does not explain itself", path, c.Name)
			}
			for _, f := range commonFlags() {
				if !slices.Contains(flagNames(c.Flags), f.Names()[0]) {
					t.Errorf("%s%s lacks --%s", path, c.Name, f.Names()[0])
				}
			}
			for _, f := range c.Flags {
				_, isBool := f.(*cli.BoolFlag)
				for _, n := range f.Names() {
					if other, seen := takes[n]; seen && other != isBool {
						t.Errorf("--%s takes a value in some commands only", n)
					}
					takes[n] = isBool
				}
			}
		}
	}
	walk("", p.app().Commands)
}

func TestHelpAndCompletionGoToStdout(t *testing.T) {
	d := newDesk(t, nil)
	for _, line := range []string{"", "help", "node", "deploy --help", "help token create", "completion bash", "completion zsh", "--version"} {
		code, out, errs := d.run(strings.Fields(line)...)
		if code != 0 || out == "" || errs != "" {
			t.Errorf("%q: %d %q %q", line, code, out, errs)
		}
	}
}
