package mesh

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// ErrFrame is wrapped by [Stream.Read] when what came is no frame, or one over
// the reader's limit.
var ErrFrame = errors.New("bad frame")

// frameStep is how much memory a frame's length is trusted for before its bytes
// arrive.
const frameStep = 4 << 10

// appendFrame appends m to b as one frame: its length as a varint, its bytes.
func appendFrame(b []byte, m proto.Message) ([]byte, error) {
	size := proto.Size(m)
	b = protowire.AppendVarint(b, uint64(size))
	return proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(b, m)
}

// readFrame reads one frame of at most limit bytes. A larger one is refused
// before memory is taken for it; a smaller one gets memory as its bytes come,
// not as it says. It returns io.EOF only between frames.
func readFrame(r *bufio.Reader, limit int) ([]byte, error) {
	size, err := readSize(r)
	if err != nil {
		return nil, err
	}
	if limit < 0 || size > uint64(limit) {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are taken here", ErrFrame, size, limit)
	}
	var buf bytes.Buffer
	buf.Grow(int(min(size, frameStep)))
	// ReadFrom doubles the buffer as it fills up.
	n, err := buf.ReadFrom(io.LimitReader(r, int64(size)))
	if err != nil {
		return nil, err
	}
	if uint64(n) < size {
		return nil, io.ErrUnexpectedEOF
	}
	return buf.Bytes(), nil
}

func readSize(r *bufio.Reader) (uint64, error) {
	var size uint64
	for i := 0; i < 5; i++ { // 35 bits: far over any limit, and no overflow
		b, err := r.ReadByte()
		if err != nil {
			if i > 0 && err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
		size |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			return size, nil
		}
	}
	return 0, fmt.Errorf("%w: its length has more than 5 bytes", ErrFrame)
}
