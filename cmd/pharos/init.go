package main

import (
	"time"

	"github.com/urfave/cli/v2"

	"pharos/state"
)

// certificate is a node's certificate as init and join show it.
type certificate struct {
	Factory state.NodeID `json:"factory"`
	ID      state.NodeID `json:"id"`
	Name    state.Name   `json:"name"`
	Role    state.Role   `json:"role"`
	Parent  state.Name   `json:"parent"`
	Expires time.Time    `json:"expires"`
}

func certificateOf(c state.Certificate) certificate {
	return certificate{Factory: c.Factory, ID: c.ID, Name: c.Name, Role: c.Role(), Parent: c.ParentName, Expires: c.Expires}
}

func (p *program) initCommand() *cli.Command {
	return p.command(spec{
		path: "init", args: "--name NAME", brief: "make this machine the root anchor of a new factory",
		long: "Makes a key and a factory in the data folder. The factory's ID is the key's public\n" +
			"half; whoever has the folder commands the factory, so keep it safe. Nothing runs yet:\n" +
			"'pharos run' does that.",
		example: "pharos init --name plant-7\npharos run",
		flags:   []cli.Flag{&cli.StringFlag{Name: "name", Usage: "`NAME` of the root node"}},
		shows:   true,
		do: func(c *call) error {
			if c.String("name") == "" {
				return misuse("'pharos init' needs --name NAME", "usage: pharos init --name plant-7")
			}
			name, err := state.ParseName("node", c.String("name"))
			if err != nil {
				return err
			}
			dir, err := c.data()
			if err != nil {
				return err
			}
			made, err := c.rooms.initRoot(dir, name)
			if err != nil {
				return err
			}
			if err := c.show(result{
				value: certificateOf(made), names: []string{string(made.Name)},
				table: func(t *table) {
					t.add("factory", string(made.Factory))
					t.add("root", string(made.Name))
					t.add("data", dir)
				},
			}); err != nil {
				return err
			}
			c.note("next: start it with 'pharos run%s', then invite machines with 'pharos token create%s --name NAME'", c.dataFlag(), c.dataFlag())
			return nil
		},
	})
}

// dataFlag repeats --data in commands that are suggested, when it was given.
func (c *call) dataFlag() string {
	dir, err := c.data()
	if err != nil || dir == defaultData() {
		return ""
	}
	return " --data " + dir
}
