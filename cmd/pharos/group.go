package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"pharos/cmd/pharos/api"
	"pharos/state"
)

func (p *program) groupCommand() *cli.Command {
	return family("group", "name sets of nodes", "A group names nodes anywhere in the factory; 'pharos deploy --to group:NAME' means its\n"+
		"members. A node that joins a group gets its apps, and loses them when it leaves.",
		p.command(spec{path: "group ls", brief: "list the groups", example: "pharos group ls", shows: true, do: asking(groupLs)}),
		p.command(spec{
			path: "group inspect", args: "GROUP", brief: "show a group's members and apps", example: "pharos group inspect painting",
			shows: true, least: 1, most: 1, do: asking(groupInspect),
		}),
		p.command(spec{
			path: "group create", args: "GROUP", brief: "make an empty group", example: "pharos group create painting",
			least: 1, most: 1, do: asking(groupCreate),
		}),
		p.command(spec{
			path: "group rm", args: "GROUP", brief: "take all members out of a group and forget it",
			long: "The members lose the apps that name only this group.", example: "pharos group rm painting",
			least: 1, most: 1, do: asking(groupRm),
		}),
		p.command(spec{
			path: "group add", args: "GROUP NODE…", brief: "put nodes into a group, all or none", example: "pharos group add painting press-7 press-8",
			shows: true, least: 2, most: -1, do: asking(func(c *call, client *api.Client) error {
				return groupChange(c, func(g state.Name, n []state.Name) (state.GroupView, error) { return client.AddToGroup(c.ctx, g, n) })
			}),
		}),
		p.command(spec{
			path: "group remove", args: "GROUP NODE…", brief: "take nodes out of a group, all or none", example: "pharos group remove painting press-8",
			shows: true, least: 2, most: -1, do: asking(func(c *call, client *api.Client) error {
				return groupChange(c, func(g state.Name, n []state.Name) (state.GroupView, error) {
					return client.RemoveFromGroup(c.ctx, g, n)
				})
			}),
		}),
	)
}

func groupLs(c *call, client *api.Client) error {
	groups, err := client.Groups(c.ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, g := range groups {
		names = append(names, string(g.Name))
	}
	return c.show(result{
		value: groups, names: names, empty: "no groups yet: make one with 'pharos group create NAME'",
		table: func(t *table) {
			t.heads = []string{"GROUP", "NODES", "MEMBERS", "APPS"}
			for _, g := range groups {
				t.add(string(g.Name), fmt.Sprint(len(g.Members)), list(g.Members, 10), list(g.Apps, 10))
			}
		},
	})
}

func groupInspect(c *call, client *api.Client) error {
	name, err := state.ParseName("group", c.args[0])
	if err != nil {
		return err
	}
	g, err := client.Group(c.ctx, name)
	if err != nil {
		return err
	}
	return c.showGroup(g)
}

func (c *call) showGroup(g state.GroupView) error {
	return c.show(result{value: g, names: []string{string(g.Name)}, table: func(t *table) {
		t.add("group", string(g.Name))
		t.add("members", list(g.Members, len(g.Members)))
		t.add("apps", list(g.Apps, len(g.Apps)))
	}})
}

func groupCreate(c *call, client *api.Client) error {
	name, err := state.ParseName("group", c.args[0])
	if err != nil {
		return err
	}
	if err := client.CreateGroup(c.ctx, name); err != nil {
		return err
	}
	c.say("the group %s is there", name)
	c.note("next: put nodes into it with 'pharos group add %s NODE…'", name)
	return nil
}

func groupRm(c *call, client *api.Client) error {
	name, err := state.ParseName("group", c.args[0])
	if err != nil {
		return err
	}
	before, err := client.Group(c.ctx, name)
	if err != nil {
		return err
	}
	if err := client.RemoveGroup(c.ctx, name); err != nil {
		return err
	}
	c.say("the group %s is no more", name)
	if len(before.Apps) > 0 && len(before.Members) > 0 {
		c.note("pharos: it was named by %s: its nodes (%s) lose what nothing else puts there", list(before.Apps, 10), list(before.Members, 10))
	}
	return nil
}

func groupChange(c *call, change func(state.Name, []state.Name) (state.GroupView, error)) error {
	group, err := state.ParseName("group", c.args[0])
	if err != nil {
		return err
	}
	nodes, err := names("node", c.args[1:])
	if err != nil {
		return err
	}
	g, err := change(group, nodes)
	if err != nil {
		return err
	}
	return c.showGroup(g)
}
