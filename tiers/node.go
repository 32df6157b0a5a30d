package tiers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"pharos/mesh"
	"pharos/state"
)

// The times of the flows (DESIGN §4). They are the same on every node.
const (
	beatEvery   = time.Second            // heartbeats, one hop
	silentAfter = 3 * time.Second        // no frame for so long: NotReady
	coalesce    = 100 * time.Millisecond // changes within it travel together
	lazyHead    = 5 * time.Second        // a head that moved over others' orders is reported so late at most
)

// Runtime is what a node needs of the room that runs apps.
type Runtime interface {
	// Assign says what is wanted of each app; it returns at once. An app that
	// is not in it any more is left as it is: only Gone removes one.
	Assign([]state.Assignment)
	// Close stops watching; containers go on running.
	Close() error
}

// Reporter is what a runtime tells its node: every change of an app, and of
// the engine's health.
type Reporter struct {
	App    func(state.AppReport)
	Engine func(state.EngineReport)
}

// Planner says what a project would change on a node, from the node's last
// report (nil: it has nothing of the app).
type Planner func(compose []byte, app state.Name, want state.Want, reported *state.AppReport) (state.Plan, error)

// Config is all that a node is made of. Data, Runtime and Plan are required.
type Config struct {
	Data    string   // the data folder: identity and store
	Listen  []string // multiaddrs; empty: the last ones, or port 4777 on all interfaces, or any free port
	MDNS    bool     // find the parent, and be found, on the LAN
	Log     *slog.Logger
	Version string

	// Runtime starts what runs this node's apps.
	Runtime func(context.Context, state.Certificate, Reporter) (Runtime, error)
	Plan    Planner
	// Images lists the images that a project names.
	Images func(compose []byte) []string

	// For simulations: the store (the caller's to close) and key of a node
	// without a data folder, and libp2p options (a simulated network's transport).
	Store *state.Store
	Key   crypto.PrivKey
	Mesh  []libp2p.Option
}

// Node is one running node of a factory.
type Node struct {
	cfg     Config
	log     *slog.Logger
	key     crypto.PrivKey
	cert    state.Certificate
	sealed  state.Sealed // the certificate as the root signed it
	store   *state.Store
	ledger  *state.Ledger
	host    *mesh.Host
	runtime Runtime
	started time.Time

	self     *self
	picture  *picture
	tier     *tier   // nil at a cell
	uplink   *uplink // nil at the root
	down     *down
	refusals refusals
	shape    sync.Mutex // one change of the factory's shape, or of an app, at a time

	stop     context.CancelFunc
	ended    <-chan struct{} // closed when Close begins
	running  sync.WaitGroup
	undo     []func() error // in reverse order
	ownStore bool
}

// Open starts a node on its data folder. It refuses a folder that is not
// enrolled, or that another process has open. Close stops it.
func Open(ctx context.Context, cfg Config) (n *Node, err error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	n = &Node{cfg: cfg, log: cfg.Log, started: time.Now(), key: cfg.Key, store: cfg.Store, refusals: refusals{logged: map[string]time.Time{}}}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
			n = nil
		}
	}()
	if err := n.openState(); err != nil {
		return n, err
	}
	if err := n.openMesh(); err != nil {
		return n, err
	}
	n.self = newSelf(n)
	n.picture = newPicture(n)
	n.down = newDown(n)
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	n.stop, n.ended = stop, life.Done()
	if n.cert.Role() != state.RoleCell {
		n.tier = newTier(n)
	}
	if n.cert.Role() != state.RoleRoot {
		n.uplink = newUplink(n)
	}
	if n.runtime, err = cfg.Runtime(life, n.cert, Reporter{App: n.self.app, Engine: n.self.engine}); err != nil {
		return n, err
	}
	n.undo = append(n.undo, n.runtime.Close)
	if n.tier != nil {
		if err := n.tier.start(life); err != nil {
			return n, err
		}
	}
	if err := n.discover(); err != nil {
		return n, err
	}
	n.run(life, n.down.run)
	n.run(life, n.self.run)
	if n.uplink != nil {
		n.run(life, n.uplink.run)
	}
	return n, nil
}

// run starts a goroutine that Close waits for.
func (n *Node) run(ctx context.Context, fn func(context.Context)) {
	n.running.Go(func() { fn(ctx) })
}

func (n *Node) openState() error {
	if n.store == nil {
		key, err := mesh.LoadIdentity(identityPath(n.cfg.Data))
		if err != nil {
			return notEnrolled(n.cfg.Data, err)
		}
		n.key = key
		if n.store, err = state.OpenStore(n.cfg.Data, n.log); err != nil {
			return err
		}
		n.ownStore = true
	}
	var err error
	if n.sealed, err = n.store.Certificate(); err != nil {
		return err
	}
	if n.sealed == nil {
		return notEnrolled(n.cfg.Data, nil)
	}
	if n.cert, err = state.OpenCertificate(n.sealed, ""); err != nil {
		return err
	}
	id, err := state.IDOf(n.key.GetPublic())
	if err != nil {
		return err
	}
	if id != n.cert.ID {
		return &state.Problem{
			Kind: state.Corrupt, Doing: "opening the data folder " + n.cfg.Data,
			Cause: fmt.Sprintf("its key is of node %s and its certificate of %s", id.Short(), n.cert.ID.Short()),
			Fix:   "put the folder's own identity.key back, or enrol the machine anew in an empty folder",
		}
	}
	n.log = n.log.With("node", string(n.cert.Name))
	var damaged []string
	if n.ledger, damaged, err = state.OpenLedger(n.store, n.cert, n.cert.Factory); err != nil {
		return err
	}
	for _, key := range damaged {
		n.log.Error("a document of the ledger is missing or broken on disk; it will be fetched from the parent", "document", key)
	}
	return nil
}

func identityPath(data string) string { return filepath.Join(data, "identity.key") }

func notEnrolled(data string, err error) error {
	return &state.Problem{
		Kind: state.Unable, Doing: "opening the data folder " + data, Cause: "this machine is in no factory yet", Err: err,
		Fix: "make it a root with 'pharos init --name NAME', or enrol it with 'pharos join TOKEN'",
	}
}

// defaultPort is where nodes listen when nothing else is said and it is free.
const defaultPort = 4777

func (n *Node) openMesh() error {
	var last error
	for _, listen := range n.listenTries() {
		var addrs []multiaddr.Multiaddr
		for _, s := range listen {
			a, err := multiaddr.NewMultiaddr(s)
			if err != nil {
				return &state.Problem{
					Kind: state.Invalid, Doing: fmt.Sprintf("listening on %q", state.Clip(s, 100)), Cause: err.Error(),
					Fix: "write it like /ip4/0.0.0.0/tcp/4777",
				}
			}
			addrs = append(addrs, a)
		}
		host, err := mesh.New(mesh.Config{Key: n.key, Listen: addrs, Log: n.log, Options: n.cfg.Mesh})
		if err != nil {
			last = err
			continue
		}
		n.host = host
		n.undo = append(n.undo, host.Close)
		return n.keepListen()
	}
	return state.Because(state.Unable, "listening for other nodes", last, "give a free address: --listen /ip4/0.0.0.0/tcp/PORT")
}

// listenTries are the addresses to try, best first. Where a node was found
// last time it should be found again.
func (n *Node) listenTries() [][]string {
	if len(n.cfg.Listen) > 0 {
		return [][]string{n.cfg.Listen}
	}
	on := func(port int) []string {
		return []string{fmt.Sprintf("/ip4/0.0.0.0/tcp/%d", port), fmt.Sprintf("/ip6/::/tcp/%d", port)}
	}
	var tries [][]string
	if last, err := n.store.Listen(); err == nil && len(last) > 0 {
		tries = append(tries, last)
	}
	return append(tries, on(defaultPort), on(0))
}

func (n *Node) keepListen() error {
	if len(n.cfg.Listen) > 0 || len(n.cfg.Mesh) > 0 {
		return nil
	}
	var now []string
	for _, a := range n.host.ListenAddrs() {
		now = append(now, a.String())
	}
	return n.store.PutListen(now)
}

// discover lets mDNS tell the parent's addresses, and lets children find us.
func (n *Node) discover() error {
	if !n.cfg.MDNS {
		return nil
	}
	stop, err := n.host.Discover(serviceName(n.cert.Factory), func(id peer.ID, addrs []string) {
		if n.uplink != nil {
			n.uplink.found(state.NodeID(id.String()), addrs)
		}
	})
	if err != nil {
		return state.Because(state.Unable, "starting mDNS", err, "start with --mdns=false to do without it")
	}
	n.undo = append(n.undo, func() error { stop(); return nil })
	return nil
}

// serviceName is the factory's name in mDNS: DNS ignores case, peer IDs don't.
func serviceName(factory state.NodeID) string { return "pharos-" + shortHash(factory) }

// Certificate is the node's own.
func (n *Node) Certificate() state.Certificate { return n.cert }

// Addresses are where the node can be dialled.
func (n *Node) Addresses() []string { return n.host.Addrs() }

// Close stops everything the node started, in reverse order, and waits for it.
// Containers go on running. The store comes last: everything else writes to it.
func (n *Node) Close() error {
	if n.stop != nil {
		n.stop()
	}
	var all []error
	for _, undo := range slices.Backward(n.undo) {
		all = append(all, undo())
	}
	n.running.Wait()
	n.undo = nil
	if n.ownStore {
		all = append(all, n.store.Close())
		n.ownStore = false
	}
	return errors.Join(all...)
}
