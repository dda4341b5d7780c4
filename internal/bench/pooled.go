package bench

// Pooled sums up one stretch after the other. A percentile for which a stretch has too few samples is that of the stretch
// together with those before it that had too few as well, or none until they are enough. The zero value is ready.
type Pooled struct {
	p50, p99, service50, service99 pool
	warmUp                         bool
}

// Sum puts the percentiles of a stretch into its interval.
func (p *Pooled) Sum(v *Interval, response, service *Histogram) {
	if p.warmUp && !v.WarmUp {
		*p = Pooled{} // what came before the measurement is not measured
	}
	p.warmUp = v.WarmUp
	median, tail := func(s Summary) int64 { return s.P50 }, func(s Summary) int64 { return s.P99 }
	sum := response.brief()
	v.Max = sum.Max
	v.P50, v.P99 = p.p50.take(response, &sum, median), p.p99.take(response, &sum, tail)
	sum = service.brief()
	v.ServiceP50, v.ServiceP99 = p.service50.take(service, &sum, median), p.service99.take(service, &sum, tail)
}

// A pool is samples that were too few for a percentile; nil if there are none.
type pool struct{ h *Histogram }

// take adds the samples of a stretch, whose summary is sum, and returns the percentile of all if they are enough for it: then it
// is empty again.
func (p *pool) take(h *Histogram, sum *Summary, percentile func(Summary) int64) int64 {
	if p.h == nil {
		if v := percentile(*sum); v > 0 || h.Count() == 0 {
			return v
		}
		p.h = NewHistogram()
	}
	p.h.Merge(h)
	v := percentile(p.h.brief())
	if v > 0 {
		p.h = nil
	}
	return v
}
