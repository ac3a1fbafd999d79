# SPDX-License-Identifier: MIT
# A NixOS module: services.pyzram.enable = true; off until then.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  cfg = config.services.pyzram;
  textfiles = {
    environment.DIRECTORY = cfg.textfileDirectory;
    serviceConfig.ReadWritePaths = [ "-${cfg.textfileDirectory}" ];
  };
in
{
  options.services.pyzram = {
    enable = lib.mkEnableOption "zram devices for swap or file systems, made at boot by pyzram";

    package = lib.mkOption {
      type = lib.types.package;
      default = pkgs.callPackage ./package.nix { };
      defaultText = lib.literalExpression "pkgs.callPackage ./package.nix { }";
      description = "The package to use.";
    };

    settings = lib.mkOption {
      type = lib.types.attrsOf (lib.types.either lib.types.int lib.types.str);
      default = { };
      example = {
        ZRAM_SIZE_0 = "50%";
        ZRAM_ALGORITHM_0 = "zstd lz4";
      };
      description = "Lines of {file}`/etc/conf.d/zram`, see {manpage}`zram.conf(5)`.";
    };

    textfileDirectory = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      example = "/var/lib/prometheus-node-exporter-text-files";
      description = ''
        Where figures for node_exporter are written each minute: the directory that
        {option}`services.prometheus.exporters.node.extraFlags` gives it with
        `--collector.textfile.directory`. Null writes none.
      '';
    };

    survey = lib.mkEnableOption "a survey a day, beside the figures, of what zram would make of the memory";
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = cfg.survey -> cfg.textfileDirectory != null;
        message = "services.pyzram.survey needs services.pyzram.textfileDirectory.";
      }
      {
        assertion = !(config.zramSwap.enable or false);
        message = "services.pyzram and zramSwap would both make swap devices; enable one of them.";
      }
    ];
    environment.systemPackages = [ cfg.package ];
    environment.etc."conf.d/zram".text = lib.concatStrings (
      lib.mapAttrsToList (name: value: "${name}=${lib.escapeShellArg (toString value)}\n") cfg.settings
    );
    systemd.packages = [ cfg.package ];
    systemd.services.zram = {
      # Units from packages are not enabled by their own [Install] section on NixOS.
      wantedBy = [ "swap.target" ];
      # Otherwise a switch would ignore new settings, and end swap if the package is new.
      reloadIfChanged = true;
      reloadTriggers = [ (builtins.toJSON cfg.settings) ];
    };
    systemd.timers.zram-textfile.wantedBy = lib.optional (cfg.textfileDirectory != null) "timers.target";
    systemd.timers.zram-estimate.wantedBy = lib.optional cfg.survey "timers.target";
    systemd.services.zram-textfile = lib.mkIf (cfg.textfileDirectory != null) textfiles;
    systemd.services.zram-estimate = lib.mkIf (cfg.textfileDirectory != null) textfiles;
  };
}
