package image_test

import (
	"context"
	"testing"
	"time"

	"pharos/runtime"
	"pharos/testnet/image"
	"pharos/testnet/image/imagetest"
)

func TestBuildIsQuickTheSecondTime(t *testing.T) {
	e := imagetest.Engine(t)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	ref := "pharos-" + imagetest.Unique() + ":1"
	var first runtime.Image
	t.Cleanup(func() {
		for _, name := range []string{ref, first.ID} {
			if err := e.RemoveImage(context.Background(), name); err != nil {
				t.Error(err)
			}
		}
	})
	began := time.Now()
	if err := image.Into(ctx, e, ref, "kind=test"); err != nil {
		t.Fatal(err)
	}
	var err error
	if first, err = e.Image(ctx, ref); err != nil {
		t.Fatal(err)
	}
	t.Logf("built in %s", time.Since(began).Round(time.Millisecond))
	began = time.Now()
	if err := image.Build(ctx, imagetest.Host(), ref, "kind=test"); err != nil {
		t.Fatal(err)
	}
	second, err := e.Image(ctx, ref)
	if err != nil || second.ID != first.ID {
		t.Errorf("built again: %v, %v", second, err)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("the second time took %s", took)
	}
	if err := image.Into(ctx, e, ref, "kind=other"); err != nil {
		t.Fatal(err)
	}
	if third, err := e.Image(ctx, ref); err != nil || third.ID == first.ID {
		t.Errorf("another label gave the same image: %v, %v", third, err)
	}
}
