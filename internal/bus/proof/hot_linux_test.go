package proof

import "testing"

// wholeBut wants nothing to be lost but what came before the first owner, and no gap but his.
func (b *book) wholeBut(t *testing.T) {
	t.Helper()
	for name, a := range b.nodes {
		gaps := uint64(0)
		for _, n := range a.gaps {
			gaps += n
		}
		if a.lost > a.first || gaps > 1 {
			t.Errorf("%s: %d events are lost, and gaps: %v; it had %d owners", name, a.lost-a.first, a.gaps, a.owners)
		}
	}
}

// What holds for bridges also holds with --hot, and then nothing is lost, and there is no gap.

func TestHotKilledOwners(t *testing.T) { killOwners(t, "--hot").wholeBut(t) }

func TestHotStoppedOwners(t *testing.T) { stopOwners(t, "--hot").wholeBut(t) }

func TestHotPausedOwners(t *testing.T) { pauseOwners(t, "--hot").wholeBut(t) }

func TestHotCutOff(t *testing.T) {
	cutOff(t, func(t *testing.T, b *book, bus bool) {
		t.Helper()
		if bus { // else the owner's own session has a gap
			b.wholeBut(t)
		}
	}, "--hot")
}
