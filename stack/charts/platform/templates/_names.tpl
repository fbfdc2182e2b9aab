{{/* Labels that never change: selectors, volume claims. Takes (dict "root" $ "process" NAME); no process: all pods. */}}
{{- define "platform.selector" -}}
app.kubernetes.io/name: {{ .root.Values.component }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .process }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{/* Labels of every object. */}}
{{- define "platform.labels" -}}
{{ include "platform.selector" . }}
app.kubernetes.io/part-of: data-platform
app.kubernetes.io/version: {{ .root.Values.version | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{/* Name of what belongs to one process. */}}
{{- define "platform.fullname" -}}
{{ .root.Values.component }}-{{ .process }}
{{- end }}

{{/* Name of a port: endpoints may have underscores, ports may not. */}}
{{- define "platform.port" -}}
{{ . | replace "_" "-" }}
{{- end }}

{{/* Settings of one workload: the defaults of all, overlaid by its own. YAML. */}}
{{- define "platform.settings" -}}
{{- $own := get .root.Values.workloads .process | default dict -}}
{{- $found := mustMergeOverwrite (deepCopy .root.Values.workload) (deepCopy $own) -}}
{{- /* What to do before a stop is one thing, not a mixture of two. */ -}}
{{- if hasKey $own "lifecycle" }}{{ $_ := set $found "lifecycle" $own.lifecycle }}{{ end -}}
{{- $found | toYaml }}
{{- end }}

{{/* Refuse what would render to something that cannot work, and say what is missing. */}}
{{- define "platform.guard" -}}
{{- include "platform.checkoutGuard" . }}
{{- if not .Values.processes }}
{{- if .Values.workloads }}
{{- fail (printf "%s: the values hold no processes; put the component's definition before them (docs/how-to/install-by-hand.md)" .Chart.Name) }}
{{- end }}
{{- end }}
{{- range $name, $_ := .Values.workloads }}
{{- if not (hasKey $.Values.processes $name) }}
{{- fail (printf "workloads.%s: there is no such process; there is: %s" $name (keys $.Values.processes | sortAlpha | join ", ")) }}
{{- end }}
{{- end }}
{{- if ne .Release.Name .Values.component }}
{{- fail (printf "the release is called %s, the component %s; their names must be the same" .Release.Name .Values.component) }}
{{- end }}
{{- with .Values.service.process }}
{{- if not (hasKey $.Values.processes .) }}
{{- fail (printf "service.process: there is no process %s; there is: %s" . (keys $.Values.processes | sortAlpha | join ", ")) }}
{{- end }}
{{- end }}
{{- end }}
