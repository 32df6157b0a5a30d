package main

import (
	"strings"
	"unicode/utf8"
)

// table is columns with a head. Every column but the last is padded.
type table struct {
	heads []string // none: no head line
	rows  []row
}

// row is a line of cells, or one note that stands across the columns.
type row struct {
	cells []cell
	note  string
}

type cell struct {
	text string
	tone tone
}

// add adds a line of plain cells.
func (t *table) add(texts ...string) {
	var r row
	for _, s := range texts {
		r.cells = append(r.cells, cell{text: s})
	}
	t.rows = append(t.rows, r)
}

// addCells adds a line of cells, some in colour.
func (t *table) addCells(cells ...cell) { t.rows = append(t.rows, row{cells: cells}) }

// note adds a line across the columns.
func (t *table) note(text string) { t.rows = append(t.rows, row{note: text}) }

const (
	gap         = 2 // spaces between columns
	narrowest   = 8 // a column is not cut below this
	noWidth     = 0 // no terminal: nothing is cut
	emptyCell   = "-"
	noteIndent  = "  "
	longestNote = 20 // and a note not below this
)

// text lays the table out, for a terminal of that width.
func (t *table) text(width int, colour bool) string {
	columns := len(t.heads)
	for _, r := range t.rows {
		columns = max(columns, len(r.cells))
	}
	widths := make([]int, columns)
	for i, h := range t.heads {
		widths[i] = len(h)
	}
	for _, r := range t.rows {
		for i, c := range r.cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(show(c.text)))
		}
	}
	if width != noWidth {
		shrink(widths, width)
	}
	var b strings.Builder
	line := func(cells []cell) {
		var out strings.Builder
		left := width
		for i, c := range cells {
			text := clip(show(c.text), widths[i])
			if width != noWidth { // a terminal too narrow for all columns shows the first ones
				if left <= 0 {
					break
				}
				text = clip(text, left)
				left -= widths[i] + gap
			}
			out.WriteString(c.tone.paint(text, colour))
			if i < len(cells)-1 {
				out.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text)+gap))
			}
		}
		b.WriteString(strings.TrimRight(out.String(), " "))
		b.WriteByte('\n')
	}
	if len(t.heads) > 0 {
		heads := make([]cell, columns)
		for i, h := range t.heads {
			heads[i] = cell{h, bold}
		}
		line(heads)
	}
	for _, r := range t.rows {
		if r.cells != nil {
			line(r.cells)
			continue
		}
		note := noteIndent + clean(r.note)
		if width != noWidth {
			note = clip(note, max(width, longestNote))
		}
		b.WriteString(strings.TrimRight(note, " "))
		b.WriteByte('\n')
	}
	return b.String()
}

// show is a cell's text as it is printed.
func show(s string) string {
	if s = clean(s); s == "" {
		return emptyCell
	}
	return s
}

// shrink takes from the widest columns until the table fits, or nothing can be
// taken any more.
func shrink(widths []int, width int) {
	total := gap * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	for ; total > width; total-- {
		widest := 0
		for i, w := range widths {
			if w > widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= narrowest {
			return
		}
		widths[widest]--
	}
}
