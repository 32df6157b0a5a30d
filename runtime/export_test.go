package runtime

import "pharos/runtime/compose"

// Hashes gives the config-hash of each service of an order.
func Hashes(b []byte) (map[string]string, error) {
	p, err := compose.Parse(b)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for name, s := range p.Services {
		if out[name], err = compose.ServiceHash(s); err != nil {
			return nil, err
		}
	}
	return out, nil
}
