//go:build linux

package ami_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/skip"
)

// A server process that is stopped, continued, killed and started again, at random: every loss is found, every node
// comes back, and the books of engine and callers agree.
func TestServerProcessFaults(t *testing.T) {
	const count, host = 8, "127.0.0.1"
	rounds := 8
	if os.Getenv("AMICTL_PROVE") != "" {
		rounds = 100
	}
	port := freePorts(t, count)
	seed := uint64(1)
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // a test's
	p := startServers(t, "", count, host, port)
	defer func() { p.kill() }()
	f := newFaultLoad(t, count, host, port)
	f.ready(10 * time.Second)
	kinds := make(map[string]int)
	var slowest time.Duration
	for round := range rounds {
		before := f.lost()
		dies := true
		kind := random.IntN(8)
		if round < 3 {
			kind = 7 - 3*round // each kind at least once
		}
		switch {
		case kind < 3: // killed: the kernel closes the sockets
			kinds["killed and started again"]++
			p.kill()
			time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond)
			p = startServers(t, "", count, host, port)
		case kind < 7: // stopped for less than the keepalive can see
			kinds["stopped for less than 800 ms"]++
			dies = false
			p.signal(syscall.SIGSTOP)
			time.Sleep(time.Duration(random.IntN(800)) * time.Millisecond)
			p.signal(syscall.SIGCONT)
		case kind == 7 && round%3 == 0: // stopped until every node has noticed
			kinds["stopped until found dead"]++
			p.signal(syscall.SIGSTOP)
			found := f.allLost(before, faultDeadAfter+3*time.Second)
			slowest = max(slowest, found)
			if random.IntN(2) == 0 {
				p.kill()
				p = startServers(t, "", count, host, port)
			} else {
				p.signal(syscall.SIGCONT)
			}
		default: // stopped, and killed while stopped
			kinds["killed while stopped"]++
			p.signal(syscall.SIGSTOP)
			time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
			p.kill()
			p = startServers(t, "", count, host, port)
		}
		if dies {
			f.allLost(before, faultDeadAfter+3*time.Second)
		}
		f.ready(20 * time.Second)
		if t.Failed() {
			t.Fatalf("in round %d of seed %d", round, seed)
		}
	}
	f.finish(nil)
	t.Logf("FIGURES %d rounds over %d nodes %v; a stopped server was found dead within %v (bound %v); %d actions: %d answered, %d timed out, %d disconnected, %d refused; %d events, %d gaps; ledger exact",
		rounds, count, kinds, slowest.Round(time.Millisecond), faultDeadAfter, f.submitted.Load(), f.answered.Load(), f.timedOut.Load(), f.disconnected.Load(), f.refused.Load(), f.events.Load(), f.gaps.Load())
}

// freePorts returns the first of count ports that were free a moment ago.
func freePorts(t testing.TB, count int) int {
	t.Helper()
	for range 100 {
		port := 20000 + rand.IntN(12000) //nolint:gosec // a test's
		free := true
		for i := range count {
			free = free && canListen(port+i)
		}
		if free {
			return port
		}
	}
	t.Fatal("no free ports")
	return 0
}

// netFaults, in the environment, says that this process runs in a network namespace made for it: "SERVER-NETNS DEVICE
// HOST SECONDS", the namespace on the other end of the device, its address, and how long each fault lasts.
const netFaults = "AMI_NETFAULT"

// A netFault is one way in which a network fails, made by commands in the client's namespace. DEV and HOST stand for the
// device and the server's address.
type netFault struct {
	name         string
	inject, heal []string
	flaps        bool // inject and heal in turn, a second each
	dead         bool // no session can live through it: found within the bound
	cut          bool // sessions end at once
	optional     bool // where the kernel cannot do it, that is said and passed over
}

const (
	nftTable = "nft 'add table inet fault; add chain inet fault in { type filter hook input priority 0; }; add chain inet fault out { type filter hook output priority 0; }'"
	nftEnd   = "nft 'delete table inet fault'"
)

func loss(percent int) netFault {
	rule := fmt.Sprintf("numgen random mod 100 < %d drop'", percent)
	return netFault{
		name:   fmt.Sprintf("%d %% of the packets lost, both ways", percent),
		inject: []string{nftTable, "nft 'add rule inet fault in " + rule, "nft 'add rule inet fault out " + rule}, heal: []string{nftEnd},
	}
}

var networkFaults = []netFault{
	{name: "none"},
	loss(5),
	loss(20),
	{name: "all packets lost, both ways", dead: true, inject: []string{nftTable, "nft 'add rule inet fault in drop'", "nft 'add rule inet fault out drop'"}, heal: []string{nftEnd}},
	{name: "black hole: nothing comes back", dead: true, inject: []string{nftTable, "nft 'add rule inet fault in drop'"}, heal: []string{nftEnd}},
	{name: "reset at the next packet", cut: true, inject: []string{nftTable, "nft 'add rule inet fault out meta l4proto tcp ip daddr HOST reject with tcp reset'"}, heal: []string{nftEnd}},
	{name: "shaped to 256 kbit/s", inject: []string{"tc qdisc add dev DEV root tbf rate 256kbit burst 8kb latency 400ms"}, heal: []string{"tc qdisc del dev DEV root"}},
	{name: "link down and up each second", flaps: true, inject: []string{"ip link set DEV down"}, heal: []string{"ip link set DEV up"}},
	// TCP alone: of other protocols' sockets the kernel says "invalid argument". ss lists what it destroyed, and passes
	// over in silence what a kernel without CONFIG_INET_DIAG_DESTROY leaves alone.
	{name: "sockets destroyed (ss -K)", cut: true, optional: true, inject: []string{"ss -tnHK dst HOST | grep -c ."}},
}

// Fifty nodes over a link that loses, delays, resets and swallows: dead peers are found in time, every node comes back
// once the fault is gone, and the ledger is exact. scripts/netfault makes the namespaces that it needs.
func TestNetworkFaults(t *testing.T) {
	var netns, device, host string
	var seconds int
	if _, err := fmt.Sscan(os.Getenv(netFaults), &netns, &device, &host, &seconds); err != nil {
		skip.Loudly(t, "scripts/netfault runs it, as root")
	}
	const count, port = 50, 7000
	p := startServers(t, netns, count, host, port)
	defer p.kill()
	f := newFaultLoad(t, count, host, port)
	f.ready(20 * time.Second)
	run := func(commands []string) error {
		line := strings.NewReplacer("DEV", device, "HOST", host).Replace(strings.Join(commands, "; "))
		out, err := exec.Command("sh", "-ec", line).CombinedOutput() //nolint:gosec // the table's own
		if err == nil && strings.Contains(string(out), "RTNETLINK answers") {
			err = fmt.Errorf("refused by the kernel")
		}
		if err != nil {
			return fmt.Errorf("%s: %w: %s", line, err, out)
		}
		return nil
	}
	t.Logf("FIGURES | %-32s | %8s | %8s | %8s | %8s | %7s | %6s | %7s | %7s |", "fault", "answered", "timed out", "disconn.", "refused", "events", "gaps", "found", "healed")
	for _, fault := range networkFaults {
		f.through(fault, time.Duration(seconds)*time.Second, run)
		if t.Failed() {
			t.Fatalf("during: %s", fault.name)
		}
	}
	server := p.ledger()
	f.finish(&server)
	text, _ := json.Marshal(f.cluster.Stats().Ledger)
	t.Logf("FIGURES ledger exact over %d nodes: %s; the servers received %d actions", count, text, server.ActionsReceived)
	p.end()
}

// through injects a fault, lets it last, heals it and waits until all is well. What is compared with is taken before the
// fault: some sessions are gone before its command has ended.
func (f *faultLoad) through(fault netFault, lasts time.Duration, run func([]string) error) {
	f.t.Helper()
	books := func() [6]uint64 {
		return [6]uint64{f.answered.Load(), f.timedOut.Load(), f.disconnected.Load(), f.refused.Load(), f.events.Load(), f.gaps.Load()}
	}
	start, before, lost := time.Now(), books(), f.lost()
	if err := run(fault.inject); fault.optional && err != nil {
		f.t.Logf("FIGURES | %-32s | SKIPPED by the kernel: %v", fault.name, err)
		return
	} else if err != nil {
		f.t.Fatal(err)
	}
	found := "-"
	if fault.dead || fault.cut {
		bound := faultDeadAfter + 3*time.Second
		if fault.cut {
			bound = 3 * time.Second
		}
		found = f.allLost(lost, bound).Round(10 * time.Millisecond).String()
	}
	for up := false; time.Since(start) < lasts; {
		if !fault.flaps {
			time.Sleep(lasts - time.Since(start))
			continue
		}
		time.Sleep(time.Second)
		commands := fault.heal
		if up {
			commands = fault.inject
		}
		if err := run(commands); err != nil {
			f.t.Fatal(err)
		}
		up = !up
	}
	after := books()
	if err := run(fault.heal); err != nil {
		f.t.Fatal(err)
	}
	healed := f.ready(30 * time.Second)
	f.t.Logf("FIGURES | %-32s | %8d | %8d | %8d | %8d | %7d | %6d | %7s | %7s |", fault.name, after[0]-before[0], after[1]-before[1], after[2]-before[2],
		after[3]-before[3], after[4]-before[4], after[5]-before[5], found, healed.Round(10*time.Millisecond))
	if answered := after[0] - before[0]; answered == 0 && !fault.dead && !fault.cut {
		f.t.Errorf("nothing was answered during: %s", fault.name)
	}
}
