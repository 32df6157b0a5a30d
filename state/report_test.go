package state

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"pharos/state/wire"
)

func status() NodeStatus {
	return NodeStatus{
		Node: idOf("press-1"), Readiness: NotReady, Reason: "its engine is away", Since: when.Local(), Silent: true,
		Report: NodeReport{
			Generation: 3, Sequence: 9, Head: Head{1, 42}, Problem: "problem", Addresses: []string{"/ip4/10.0.0.1/tcp/4777"},
			Engine: EngineReport{Kind: "docker", Version: "20.10.24", Problem: "no answer"},
			Apps: []AppReport{{
				App: "shop", Revision: 7, Stamp: Stamp{1, 40}, State: AppFailed, Reason: "it keeps dying", Since: when.Local(),
				Containers: []Container{{Service: "web", State: "exited", Health: "unhealthy", Restarts: 4, Name: "shop-web-1", ID: "ab", Image: "web:1", Hash: "cd", ExitCode: -1}},
				Networks:   []string{"default"}, Volumes: []string{"data"}, Logs: []string{"one", "two"},
			}},
		},
	}
}

func TestStatusRoundTrip(t *testing.T) {
	want := status()
	b, err := proto.Marshal(StatusToWire(want))
	if err != nil {
		t.Fatal(err)
	}
	m := &wire.NodeStatus{}
	if err := proto.Unmarshal(b, m); err != nil {
		t.Fatal(err)
	}
	got, err := StatusFromWire(m)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v became %+v, %v", want, got, err)
	}
}

// Logs and names may be any bytes: they must not keep a report from leaving.
func TestWildStatusesAreCut(t *testing.T) {
	wild := strings.Repeat("\xff\x1b[2Jé\n", 2000)
	s := status()
	s.Reason, s.Report.Problem = wild, wild
	s.Report.Engine = EngineReport{Kind: wild, Version: wild, Problem: wild}
	for range 3000 {
		s.Report.Addresses = append(s.Report.Addresses, wild)
	}
	a := &s.Report.Apps[0]
	a.Reason = wild
	for range 3000 {
		a.Logs, a.Networks, a.Volumes = append(a.Logs, wild), append(a.Networks, wild), append(a.Volumes, wild)
		a.Containers = append(a.Containers, Container{wild, wild, wild, 1, wild, wild, wild, wild, 1})
	}
	for n := range 3000 {
		s.Report.Apps = append(s.Report.Apps, AppReport{App: Name(fmt.Sprintf("a%d", n)), State: AppReady})
	}
	b, err := proto.Marshal(StatusToWire(s))
	if err != nil {
		t.Fatalf("it can't be sent: %v", err)
	}
	m := &wire.NodeStatus{}
	if err := proto.Unmarshal(b, m); err != nil {
		t.Fatal(err)
	}
	got, err := StatusFromWire(m)
	if err != nil {
		t.Fatal(err)
	}
	r := got.Report
	if len(r.Apps) != MaxReportApps || len(r.Addresses) != MaxAddresses || len(r.Apps[0].Logs) != MaxLogLines || len(r.Apps[0].Containers) != MaxContainers {
		t.Errorf("%d apps, %d addresses, %d lines, %d containers", len(r.Apps), len(r.Addresses), len(r.Apps[0].Logs), len(r.Apps[0].Containers))
	}
	for _, s := range []string{got.Reason, r.Problem, r.Engine.Kind, r.Addresses[5], r.Apps[0].Reason, r.Apps[0].Logs[3], r.Apps[0].Containers[9].Image} {
		if len(s) > maxThing || !utf8.ValidString(s) || strings.ContainsAny(s, "\x1b\n") {
			t.Errorf("a wild string came through: %.40q (%d bytes)", s, len(s))
		}
	}
}

func TestHostileStatusesAreRefused(t *testing.T) {
	for name, change := range map[string]func(*wire.NodeStatus){
		"no node":           func(m *wire.NodeStatus) { m.Node = "" },
		"strange node":      func(m *wire.NodeStatus) { m.Node = "press-1" },
		"no readiness":      func(m *wire.NodeStatus) { m.Readiness = "" },
		"strange state":     func(m *wire.NodeStatus) { m.Report.Apps[0].State = "Exploded" },
		"strange app":       func(m *wire.NodeStatus) { m.Report.Apps[0].App = "../../etc" },
		"nothing in an app": func(m *wire.NodeStatus) { m.Report.Apps = append(m.Report.Apps, nil) },
	} {
		m := StatusToWire(status())
		change(m)
		if _, err := StatusFromWire(m); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	m := StatusToWire(status())
	m.Report.Apps = append(m.Report.Apps, m.Report.Apps[0])
	m.Since, m.Report.Apps[0].Since = 1<<62, -1<<62
	got, err := StatusFromWire(m)
	if err != nil || len(got.Report.Apps) != 1 {
		t.Fatalf("%d apps of one name, %v", len(got.Report.Apps), err)
	}
	if _, err := json.Marshal(got); err != nil {
		t.Errorf("a wild clock keeps everybody from printing: %v", err)
	}
	if _, err := StatusFromWire(nil); err == nil {
		t.Error("nothing was taken")
	}
}

func TestCounts(t *testing.T) {
	var c Counts
	heard := when
	for i, r := range []Readiness{Ready, Ready, NotReady, Unknown} {
		s := status()
		s.Readiness, s.Report.Head = r, Head{1, uint64(40 - i)}
		c.Add(s, heard.Add(-time.Duration(i)*time.Second))
	}
	if c.Nodes[Ready] != 2 || c.Nodes[NotReady] != 1 || c.Apps[AppFailed] != 4 || c.Oldest != (Head{1, 37}) || !c.Freshness.Equal(heard.Add(-3*time.Second)) {
		t.Errorf("%+v", c)
	}
	c.Freshness = c.Freshness.Local()
	if got := CountsFromWire(CountsToWire(c)); !reflect.DeepEqual(got, c) {
		t.Errorf("%+v became %+v", c, got)
	}
	m := CountsToWire(c)
	m.Nodes["Haunted"], m.Apps["Exploded"], m.Freshness = 7, 7, 1<<62
	got := CountsFromWire(m)
	if len(got.Nodes) != 3 || len(got.Apps) != 1 {
		t.Errorf("strange keys came through: %+v", got)
	}
	if _, err := json.Marshal(got); err != nil {
		t.Error(err)
	}
	CountsFromWire(nil)
}
