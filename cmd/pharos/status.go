package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"pharos/cmd/pharos/api"
	"pharos/state"
)

func (p *program) statusCommand() *cli.Command {
	return p.command(spec{
		path: "status", brief: "show this node: role, parent, head, engine, disk",
		long:    "HEAD is up to where this node's orders are complete. REFUSED counts what mistaken or\nhostile peers tried since the daemon started.",
		example: "pharos status", shows: true, do: asking(status),
	})
}

func status(c *call, client *api.Client) error {
	s, err := client.Status(c.ctx)
	if err != nil {
		return err
	}
	return c.show(result{value: s, names: []string{string(s.Name)}, table: func(t *table) {
		t.add("node", string(s.Name))
		t.add("id", string(s.ID))
		t.add("role", string(s.Role))
		t.add("factory", string(s.Factory))
		if s.Role != state.RoleRoot {
			text, tone := "✗ "+string(s.Parent)+": not connected", bad
			if s.Connected {
				text, tone = "● "+string(s.Parent)+": connected", good
			}
			text += " since " + c.age(s.Since)
			if s.Reason != "" {
				text += " (" + s.Reason + ")"
			}
			t.addCells(cell{text: "parent"}, cell{text, tone})
		}
		head := s.Head.String()
		if s.Role != state.RoleRoot && s.ParentHead != s.Head {
			head += fmt.Sprintf(" (the parent has %s)", s.ParentHead)
		}
		t.add("head", head)
		engine := cell{text: engineText(s.Engine)}
		if s.Engine.Problem != "" {
			engine.tone = bad
		}
		t.addCells(cell{text: "engine"}, engine)
		t.add("disk", fmt.Sprintf("%s used, %s of %s free at %s", bytesText(s.Disk.Used), bytesText(s.Disk.Free), bytesText(s.Disk.Total), s.Disk.Path))
		t.add("addresses", strings.Join(s.Addresses, ", "))
		t.add("certificate", "until "+s.Expires.Format("2006-01-02"))
		if s.Below != nil {
			t.add("below", sumText(api.Sum{Nodes: s.Below.Nodes, Apps: s.Below.Apps}))
		}
		appRows(t, c.program, s.Apps)
		label := "refused"
		for _, cause := range slices.Sorted(maps.Keys(s.Refused)) {
			t.add(label, fmt.Sprintf("%d × %s", s.Refused[cause], cause))
			label = " "
		}
		t.add("version", s.Version)
	}})
}
