{{/* Labels, the container's confinement and its connection to Redis: what workers and gateway share. */}}
{{- define "img-ml.labels" -}}
app.kubernetes.io/name: img-ml
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "img-ml.selector" -}}
app.kubernetes.io/name: img-ml
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "img-ml.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "img-ml.containerSecurity" -}}
readOnlyRootFilesystem: true
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
{{- end }}

{{- define "img-ml.env" -}}
{{- $redis := .Values.redis }}
{{- if $redis.passwordSecret.name }}
- name: REDIS_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ $redis.passwordSecret.name | quote }}, key: {{ $redis.passwordSecret.key | quote }}}}
{{- end }}
- name: REDIS_URL
  value: "{{ ternary "rediss" "redis" $redis.tls }}://{{ if $redis.passwordSecret.name }}{{ $redis.username }}:$(REDIS_PASSWORD)@{{ end }}{{ $redis.host }}:{{ $redis.port }}/{{ $redis.database }}"
- name: WORKER_STREAM
  value: {{ join "," .Values.streams | quote }}
- name: WORKER_RESULTS
  value: {{ join "," .Values.results | quote }}
- name: WORKER_GROUP
  value: {{ .Values.group | quote }}
{{- end }}
