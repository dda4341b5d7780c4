package wire

// Cut returns owned copies of what is before line i of an event, and of that line and all behind it, as if a blank line
// were between them: some lists come without (chan_skinny.c, _skinny_show_devices). i must be in 1…Len()-1.
func (m *Message) Cut(i int) (head, tail Message) {
	start := m.p.Start(i)
	return decodeOne(m.p.Text[:start] + "\r\n"), decodeOne(m.p.Text[start:])
}

// decodeOne decodes a packet that is whole, and within all limits.
func decodeOne(text string) Message {
	d := NewDecoder(Limits{Line: mostBytes, Headers: mostLines, Packet: mostBytes, Answer: mostAnswer})
	d.Feed([]byte(text))
	m, _ := d.Next() // one that was decoded before
	return m.Clone()
}
