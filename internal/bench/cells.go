package bench

// A stretch is what happened since the last interval.
type stretch struct {
	sent, ended, answered, failed uint64
	response, service             *Histogram
	cells                         []cell     // by action of the mix; none where nobody wants them
	waited                        *Histogram // response times of what was given up before it was sent; as cells
}

func (s *stretch) init(cells int) {
	s.response, s.service = NewHistogram(), NewHistogram()
	if s.cells = make([]cell, cells); cells > 0 {
		s.waited = NewHistogram()
	}
	for i := range s.cells {
		s.cells[i].response, s.cells[i].service = NewHistogram(), NewHistogram()
	}
}

// A cell is what was measured of one action of the mix in a stretch.
type cell struct {
	sent              uint64
	ended             Ended
	response, service *Histogram
}

// take moves what is in o into c.
func (c *cell) take(o *cell) {
	c.sent += o.sent
	c.ended.Add(o.ended)
	c.response.Merge(o.response)
	c.service.Merge(o.service)
	o.response.Reset()
	o.service.Reset()
	o.sent, o.ended = 0, Ended{}
}
