package testnet

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"pharos/testnet/image"
)

// image builds the small image that the sample's services run.
func (d *demo) image(ctx context.Context) error {
	if !d.real() {
		d.say("   Skipped: the simulated engine has every image.")
		return nil
	}
	d.say("   testnet/image compiles a static program of a few pages and packs it: nothing is fetched.")
	began := time.Now()
	if err := image.Build(ctx, d.cfg.Factory.Engine, image.Ref); err != nil {
		return err
	}
	took := time.Since(began)
	if !strings.Contains(string(sample), image.Ref) {
		return fmt.Errorf("the sample does not use the image %s", image.Ref)
	}
	size, err := d.f.Docker(ctx, "image", "inspect", "--format", "{{.Size}}", image.Ref)
	if err != nil {
		return err
	}
	bytes, err := strconv.ParseFloat(strings.Join(size, ""), 64)
	if err != nil {
		return fmt.Errorf("reading docker image inspect: %w", err)
	}
	return d.claim(bytes > 0, "the engine has %s, %.1f MB, after %s", image.Ref, bytes/1e6, short(took))
}
