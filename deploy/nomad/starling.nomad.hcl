# Three peers on three machines, each with a host volume `starling` of its own (docs/deploy/nomad.md).
variable "image" {
  type    = string
  default = "localhost/starling:latest"
}

job "starling" {
  datacenters = ["*"]
  type        = "service"

  group "peers" {
    count = 3

    constraint {
      distinct_hosts = true
    }

    # One after the other, and only when the last one is well: see the table of dropouts.
    update {
      max_parallel     = 1
      health_check     = "task_states"
      min_healthy_time = "30s"
    }

    network {
      mode = "host"
      port "peers" {
        static = 4001
      }
    }

    volume "state" {
      type      = "host"
      source    = "starling"
      read_only = false
    }

    restart {
      attempts = 5
      interval = "10m"
      delay    = "15s"
      mode     = "delay"
    }

    task "daemon" {
      driver       = "podman"
      user         = "10001:10001"
      kill_timeout = "60s"

      config {
        image           = var.image
        args            = ["--config", "/local/starling.yaml"]
        network_mode    = "host"
        readonly_rootfs = true
        cap_drop        = ["ALL"]
        tmpfs           = ["/tmp"]
      }

      volume_mount {
        volume      = "state"
        destination = "/var/lib/starling"
      }

      template {
        destination = "local/starling.yaml"
        data        = <<-EOT
          listen: [/ip4/0.0.0.0/tcp/4001]
          mdns: false
          logFormat: json
        EOT
      }

      resources {
        cpu    = 1000
        memory = 1024
      }
    }
  }
}
