package testnet_test

import (
	"fmt"
	"testing"

	"pharos/testnet/image"
	"pharos/testnet/image/imagetest"
)

// engine gives the Docker Engine's address, with the test image in it. Where
// none answers the test is skipped, or fails with PHAROS_REQUIRE_ENGINE=1.
func engine(t *testing.T) string {
	t.Helper()
	imagetest.Engine(t)
	return imagetest.Host()
}

// shop is a Compose file of two services and a volume; another greeting makes
// another web.
func shop(t *testing.T, greeting string) string {
	t.Helper()
	return fmt.Sprintf(`name: shop
services:
  store:
    image: %[1]s
    command: serve --text store
    healthcheck: {test: [CMD, /specimen, health], interval: 1s}
    volumes: [goods:/goods]
  web:
    image: %[1]s
    environment: {GREETING: %[2]q}
    depends_on: {store: {condition: service_healthy}}
volumes: {goods: {}}
`, image.Ref, greeting)
}
