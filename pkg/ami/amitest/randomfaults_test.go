package amitest

import (
	"math/rand/v2"
	"time"
)

// randomFaults returns n faults that the seed alone decides, each bounded so that a
// server recovers from it by itself or by a new connection.
func randomFaults(seed uint64, n int) []Fault {
	rng := rand.New(rand.NewPCG(seed, 0xfa17))
	ms := func(most int) time.Duration { return time.Duration(1+rng.IntN(most)) * time.Millisecond }
	faults := make([]Fault, n)
	for i := range faults {
		f := Fault{Kind: faultKinds[rng.IntN(len(faultKinds))], During: 10 * ms(300)}
		switch f.Kind {
		case faultLatency, faultSlow:
			f.Fixed, f.Jitter = ms(20), ms(20)
			if rng.IntN(3) == 0 {
				f.Tail = ms(5)
			}
		case faultSegment:
			f.Bytes = 1 + rng.IntN(40)
		case faultCoalesce, faultStall, faultSlowLogin, faultRestart:
			f.For = ms(300)
		case faultFlap:
			f.For, f.Period, f.Times = ms(100), ms(300), 1+rng.IntN(3)
		case faultReorder:
			f.Window = 2 + rng.IntN(8)
		case faultReset, faultFin:
			f.After = rng.IntN(4000)
		case faultTruncate, faultGarbage:
			f.Bytes, f.Now = 1+rng.IntN(80), rng.IntN(2) == 0
		case faultOversize:
			f.Bytes = 1 << (10 + rng.IntN(12))
		case faultFlood:
			f.Count, f.Rate = 1+rng.IntN(5000), float64(1000+rng.IntN(20000))
		case faultBanner:
			f.Message = "Asterisk Call Manager/9.9\r\n"
		default:
			f.Times = 1 + rng.IntN(5)
		}
		faults[i] = f
	}
	return faults
}
