{{/* The checkout by git-sync, in the place of the image's. Task pods have the same (targets/kubernetes/checkout.py). */}}

{{/* One of its containers. Takes (dict "root" $ "words" LIST): how it ends. */}}
{{- define "platform.gitSync" -}}
{{- $git := .root.Values.gitSync -}}
image: {{ $git.image }}
imagePullPolicy: IfNotPresent
args:
  - {{ printf "--repo=%s" $git.repository | quote }}
  - {{ printf "--ref=%s" $git.ref | quote }}
  # Not the volume itself, which is not its own: git refuses a folder of somebody else.
  - --root=/opt/data-platform/checkout/git
  - --link=/opt/data-platform/checkout/project
  {{- toYaml .words | nindent 2 }}
{{- with $git.credentialsSecret }}
env:
  {{- range $key := list "username" "password" }}
  - name: GITSYNC_{{ upper $key }}
    valueFrom: {secretKeyRef: {name: {{ $git.credentialsSecret }}, key: {{ $key }}, optional: true}}
  {{- end }}
{{- end }}
resources: {{- toYaml .root.Values.gitSyncResources | nindent 2 }}
securityContext: {{- toYaml .root.Values.security.container | nindent 2 }}
  # The user of its image: ssh refuses one that is not in its /etc/passwd.
  runAsUser: 65533
volumeMounts:
  - {name: checkout, mountPath: /opt/data-platform/checkout}
  - {name: git-sync-tmp, mountPath: /tmp}
  {{- if $git.credentialsSecret }}
  - {name: git-sync-credentials, mountPath: /etc/git-secret, readOnly: true}
  {{- end }}
{{- end }}

{{/* Before and beside a server. */}}
{{- define "platform.checkoutContainers" -}}
{{- with .root.Values.gitSync }}
initContainers:
  - name: checkout
    {{- include "platform.gitSync" (dict "root" $.root "words" (list "--one-time" "--max-failures=3")) | nindent 4 }}
  # A server stays up while the repository is away. What it reads at the moment of a change stays a while.
  - name: git-sync
    restartPolicy: Always
    {{- $words := list (printf "--period=%ds" (int .periodSeconds)) "--max-failures=-1" "--stale-worktree-timeout=10m" }}
    {{- include "platform.gitSync" (dict "root" $.root "words" $words) | nindent 4 }}
{{- end }}
{{- end }}

{{- define "platform.checkoutMount" -}}
{{- if .root.Values.gitSync }}
- {name: checkout, mountPath: /opt/data-platform/checkout, readOnly: true}
{{- end }}
{{- end }}

{{- define "platform.checkoutVolumes" -}}
{{- with .root.Values.gitSync }}
- name: checkout
  emptyDir: {sizeLimit: 1Gi}
- name: git-sync-tmp
  emptyDir: {sizeLimit: 64Mi}
{{- with .credentialsSecret }}
- name: git-sync-credentials
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- end }}
{{- end }}
