package wire

// Cut returns owned copies of what is before line i of an event, and of that line and all behind it, as if a blank line
// were between them: some lists come without (chan_skinny.c, _skinny_show_devices). i must be in 1…Len()-1.
func (m *Message) Cut(i int) (head, tail Message) {
	start, _, _, _ := m.place(i)
	return decodeOne(m.text[:start] + "\r\n"), decodeOne(m.text[start:])
}

// decodeOne decodes a packet that is whole, and within all limits.
func decodeOne(text string) Message {
	d := NewDecoder(Limits{Line: maxText, Headers: maxText, Packet: maxText, Answer: maxText})
	d.Feed([]byte(text))
	m, _ := d.Next() // one that was decoded before
	return m.Clone()
}
