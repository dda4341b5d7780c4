package output

import "slices"

// fit makes the table no wider than it may be, and returns the widths of its columns and the names of those that went. If
// there were rows before, the columns are not narrower than they were unless there is no room.
// Minor columns go first, from the right, while the table is too wide with whole cells; then usual ones and prose while it
// is too wide with all cells cut as far as may be. Then cells are cut: prose goes on in more lines, then the widest cells give
// way, and at last those that identify.
func (t *table) fit(width int, before []int) (left []string, widths []int) {
	for i := range t.columns {
		w := t.widest(i)
		if i < len(before) {
			w = max(w, before[i])
		}
		widths = append(widths, w)
	}
	goes := func(look Look, needed func() int) {
		for i := len(t.columns) - 1; i >= 0 && len(t.columns) > 1 && needed() > width; i-- {
			if t.columns[i].look == look {
				left = append(left, t.columns[i].head)
				t.drop(i)
				widths = slices.Delete(widths, i, i+1)
			}
		}
	}
	goes(Minor, func() int { return t.total(widths, func(i int) int { return t.comfortable(i, widths[i]) }) })
	if t.total(widths, nil) <= width {
		slices.Reverse(left)
		return left, widths
	}
	for i := range t.columns {
		t.columns[i].least = t.least(i, widths[i], width)
	}
	floor := func(i int) int { return t.columns[i].least }
	least := func() int { return t.total(widths, floor) }
	goes(Usual, least)
	goes(Prose, least)
	slices.Reverse(left)
	is := func(i int, look Look) bool { return t.columns[i].look == look }
	t.shrink(widths, width, func(i int) bool { return is(i, Prose) }, func(int) int { return proseLeast })
	t.shrink(widths, width, func(i int) bool { return !is(i, Identity) }, floor)
	t.shrink(widths, width, func(i int) bool { return is(i, Identity) }, floor)
	t.shrink(widths, width, func(i int) bool { return is(i, Identity) }, func(i int) int { return t.toldApart(i, min(widths[i], width)) })
	t.shrink(widths, width, func(i int) bool { return true }, func(int) int { return narrowest })
	if len(widths) == 1 {
		widths[0] = min(widths[0], width)
	}
	return left, widths
}

// least is the width that a column should have before others go.
func (t *table) least(i, whole, width int) int {
	c := &t.columns[i]
	n := narrowest
	switch {
	case c.whole:
		return whole
	case c.look == Identity:
		n = max(identityLeast, t.toldApart(i, min(whole, width)))
	case c.coding != nil:
		n = codedLeast
	case c.look == Prose:
		n = proseLeast
	}
	return min(whole, max(n, Width(c.head)))
}

// widest is the width that a column would take.
func (t *table) widest(i int) int {
	w := Width(t.columns[i].head)
	for _, row := range t.rows {
		w = max(w, Width(row[i].text))
	}
	return w
}

// comfortable is the width that a column should have before minor ones stay.
func (t *table) comfortable(i, whole int) int {
	if t.columns[i].look == Prose {
		return min(whole, proseWidth)
	}
	return whole
}

// total is the width of the table if each column takes what of says, or all that it would take.
func (t *table) total(widths []int, of func(i int) int) int {
	n := columnGap * (len(widths) - 1)
	for i, w := range widths {
		if of != nil {
			w = of(i)
		}
		n += w
	}
	return n
}

// shrink narrows some of the columns until the table fits or they are at their least.
func (t *table) shrink(widths []int, width int, some func(i int) bool, least func(i int) int) {
	floors := slices.Clone(widths)
	for i := range widths {
		if some(i) {
			floors[i] = min(widths[i], least(i))
		}
	}
	narrow(widths, floors, t.total(widths, nil)-width)
}

// narrow takes so many columns off widths, the widest first and none below its floor, and returns how many are left to take.
func narrow(widths, floors []int, over int) int {
	for over > 0 {
		top, limit, n := -1, 0, 0 // the widest, to where they go at once, how many they are
		for i, w := range widths {
			switch {
			case w <= floors[i]:
			case w > top:
				top, limit, n = w, max(top, floors[i]), 1
			case w == top:
				limit, n = max(limit, floors[i]), n+1
			default:
				limit = max(limit, w)
			}
		}
		if n == 0 {
			return over
		}
		each := min(top-limit, over/n)
		if each == 0 { // the first ones give one more
			n, each = min(over, n), 1
		}
		for i := range widths {
			if n > 0 && widths[i] == top && widths[i] > floors[i] {
				widths[i] -= each
				over -= each
				n--
			}
		}
	}
	return 0
}

// toldApart is the least width, up to the most that it may have, at which the different values of a column still look different.
func (t *table) toldApart(i, most int) int {
	different := make(map[string]bool)
	for _, row := range t.rows {
		different[row[i].text] = true
	}
	seen := make(map[string]bool, len(different))
	for w := max(narrowest, Width(t.columns[i].head)); w < most; w++ {
		clear(seen)
		for text := range different {
			short := cutCell(text, w)
			if seen[short] {
				break
			}
			seen[short] = true
		}
		if len(seen) == len(different) {
			return w
		}
	}
	return most
}
