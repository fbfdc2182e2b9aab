{{/* Requests are what the component says it needs; a limit that is not given is the request (memory) or that of all (CPU).
     Takes (dict "root" $ "own" MAP). */}}
{{- define "platform.resources" -}}
{{- $requests := .own.requests | default dict -}}
{{- $limits := .own.limits | default dict -}}
{{- $component := .root.Values.resources -}}
{{- $memory := $requests.memory | default (printf "%vMi" $component.memoryMi) -}}
requests:
  cpu: {{ $requests.cpu | default $component.cpu | quote }}
  memory: {{ $memory }}
limits:
  cpu: {{ $limits.cpu | default .root.Values.cpuLimit | quote }}
  memory: {{ $limits.memory | default $memory }}
{{- end }}

{{/* How to see that a process takes requests. */}}
{{- define "platform.probe" -}}
{{- if .command }}
exec:
  command: {{- toYaml .command | nindent 4 }}
{{- else }}
httpGet:
  port: {{ .http.port }}
  path: {{ .http.path | quote }}
  {{- with .http.scheme }}
  scheme: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Probes of a container. A probe in workloads.<process>.probes may bring its own way (httpGet, exec, tcpSocket), or be
     switched off with false. */}}
{{- define "platform.probes" -}}
{{- $ready := .process.ready -}}
{{- range $kind := list "startup" "readiness" "liveness" }}
{{- $own := get $.settings.probes $kind }}
{{- if $own }}
{{ $kind }}Probe:
  {{- if not (or $own.httpGet $own.exec $own.tcpSocket) }}
  {{- include "platform.probe" $ready | trim | nindent 2 }}
  {{- end }}
  {{- if and (eq $kind "startup") (not $own.failureThreshold) }}
  failureThreshold: {{ divf $ready.within $own.periodSeconds | ceil | int }}
  {{- end }}
  {{- toYaml $own | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{/* Environment that the pod alone knows; all else is in the Secret of the process. */}}
{{- define "platform.env" -}}
- name: NODE_ADDRESS
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
{{- range $name, $value := .env }}
- name: {{ $name }}
  value: {{ tpl ($value | toString) $.root | quote }}
{{- end }}
{{- end }}

{{- define "platform.mounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: data, mountPath: /var/lib/data-platform}
{{- if not (dig "logs" false .shared) }}
- {name: logs, mountPath: /var/log/data-platform}
{{- end }}
{{- with .root.Values.etc }}
- {name: etc, mountPath: {{ printf "/etc/data-platform/%s" $.root.Values.component }}, readOnly: true}
{{- end }}
{{- range $name, $volume := .shared }}
- {name: {{ $name }}, mountPath: {{ $volume.mountPath }}}
{{- end }}
{{- range $name, $volume := .own }}
- {name: {{ $name }}, mountPath: {{ $volume.mountPath }}}
{{- end }}
{{- range $name, $secret := .secrets }}
- {name: {{ $name }}, mountPath: {{ $secret.mountPath }}, readOnly: true}
{{- end }}
{{- end }}

{{- define "platform.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 1Gi}
{{- if not .claimed }}
- name: data
  emptyDir: {sizeLimit: {{ .scratch }}}
{{- end }}
{{- if not (dig "logs" false .shared) }}
- name: logs
  emptyDir: {sizeLimit: 1Gi}
{{- end }}
{{- with .etc | default .root.Values.etc }}
- name: etc
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
    items: {{- toYaml .items | nindent 6 }}
{{- end }}
{{- range $name, $volume := .shared }}
- name: {{ $name }}
  persistentVolumeClaim:
    claimName: {{ $volume.existingClaim | default (printf "%s-%s" $.root.Values.component $name) }}
{{- end }}
{{- range $name, $secret := .secrets }}
- name: {{ $name }}
  {{- /* One of the component's own is stored under another name. */}}
  secret: {secretName: {{ get $.root.Values.secrets $secret.secretName | default $secret.secretName }}, optional: true, defaultMode: 0440}
{{- end }}
{{- end }}

{{/* What is the same in the pods of processes and of jobs. */}}
{{- define "platform.podBase" -}}
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext: {{- toYaml .root.Values.security.pod | nindent 2 }}
dnsConfig: {options: [{name: ndots, value: {{ .root.Values.dns.ndots | quote }}}]}
{{- end }}

{{- define "platform.containerBase" -}}
image: {{ .root.Values.image.reference }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
command: {{- toYaml .process.command | nindent 2 }}
workingDir: {{ .process.directory | default "/var/lib/data-platform" }}
securityContext: {{- toYaml .root.Values.security.container | nindent 2 }}
envFrom:
  - secretRef: {name: {{ .process.environmentSecret }}}
{{- end }}

{{/* Volumes that several workloads of the component share, those of this process. YAML. */}}
{{- define "platform.shared" -}}
{{- $found := dict -}}
{{- range $name, $volume := .root.Values.sharedVolumes }}
{{- if has $.process $volume.processes }}
{{- $_ := set $found $name $volume }}
{{- end }}
{{- end }}
{{- toYaml $found }}
{{- end }}
