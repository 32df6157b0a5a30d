package runtime

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"pharos/state"
)

// The labels on all that a node makes. Those of docker compose make its `ls`,
// `ps` and `logs` work.
const (
	LabelNode = "pharos.node" // the node's ID
	LabelApp  = "pharos.app"

	labelRestarts = "pharos.restarts" // of the containers that this one took the place of
	labelInherits = "pharos.inherits" // anonymous volumes it took over: the engine no longer knows that they are

	labelProject = "com.docker.compose.project"
	labelService = "com.docker.compose.service"
	labelHash    = "com.docker.compose.config-hash"
	labelNumber  = "com.docker.compose.container-number"
	labelOneoff  = "com.docker.compose.oneoff"
	labelFolder  = "com.docker.compose.project.working_dir"
	labelFiles   = "com.docker.compose.project.config_files"
	labelVersion = "com.docker.compose.version"
	labelImage   = "com.docker.compose.image"
	labelDepends = "com.docker.compose.depends_on"
	labelNetwork = "com.docker.compose.network"
	labelVolume  = "com.docker.compose.volume"

	// composeVersion is the docker compose whose labels these are.
	composeVersion = "2.40.3"

	// pendingPrefix begins the name of a container that is about to take the
	// place of another.
	pendingPrefix = "pharos_new_"
)

// owned are the labels by which a node finds what is its own.
func owned(node state.NodeID, app state.Name) map[string]string {
	return map[string]string{LabelNode: string(node), LabelApp: string(app)}
}

// containerName is docker compose's: APP-SERVICE-1, or the file's own.
func containerName(project string, s types.ServiceConfig, number int) string {
	if s.ContainerName != "" {
		return s.ContainerName
	}
	return project + "-" + s.Name + "-" + strconv.Itoa(number)
}

// containerLabels are all labels of a container.
func containerLabels(node state.NodeID, app state.Name, project string, s service, number int, imageID string, restarts uint64) map[string]string {
	labels := maps.Clone(map[string]string(s.config.Labels))
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, map[string]string{
		LabelNode: string(node), LabelApp: string(app),
		labelProject: project, labelService: s.name, labelHash: s.hash, labelNumber: strconv.Itoa(number),
		labelOneoff: "False", labelVersion: composeVersion, labelImage: imageID,
		labelFolder: "/", labelFiles: "pharos:" + string(app), labelDepends: dependsLabel(s.config.DependsOn),
	})
	if restarts > 0 {
		labels[labelRestarts] = strconv.FormatUint(restarts, 10)
	}
	return labels
}

// dependsLabel writes "db:service_healthy:false,init:…", sorted.
func dependsLabel(d types.DependsOnConfig) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(d)) {
		parts = append(parts, name+":"+d[name].Condition+":"+strconv.FormatBool(d[name].Restart))
	}
	return strings.Join(parts, ",")
}

// dependencies reads the services in a container's depends_on label.
func dependencies(labels map[string]string) []string {
	var names []string
	for part := range strings.SplitSeq(labels[labelDepends], ",") {
		if name, _, _ := strings.Cut(part, ":"); name != "" {
			names = append(names, name)
		}
	}
	return names
}

func networkLabels(node state.NodeID, app state.Name, project, key, hash string, own types.Labels) map[string]string {
	labels := maps.Clone(map[string]string(own))
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, map[string]string{
		LabelNode: string(node), LabelApp: string(app),
		labelProject: project, labelNetwork: key, labelVersion: composeVersion, labelHash: hash,
	})
	return labels
}

// volumeLabels have no config-hash: docker compose would offer to recreate the
// volume when it differs from its own, data lost.
func volumeLabels(node state.NodeID, app state.Name, project, key string, own types.Labels) map[string]string {
	labels := networkLabels(node, app, project, key, "", own)
	delete(labels, labelNetwork)
	delete(labels, labelHash)
	labels[labelVolume] = key
	return labels
}

// slotKey names the place of one container in an app: "web-1".
func slotKey(service string, number int) string { return service + "-" + strconv.Itoa(number) }

// slotOf is the place that a container was made for.
func slotOf(c Container) (service string, number int, ok bool) {
	service = c.Labels[labelService]
	number, err := strconv.Atoi(c.Labels[labelNumber])
	return service, number, err == nil && service != "" && number > 0
}
