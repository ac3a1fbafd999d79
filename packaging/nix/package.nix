# SPDX-License-Identifier: MIT
# A package for nixpkgs: callPackage ./package.nix { }
{
  lib,
  python3Packages,
  fetchurl,
  pkg-config,
  lz4,
  zstd,
  zlib,
  coreutils,
  kmod,
  util-linux,
  e2fsprogs,
}:

python3Packages.buildPythonApplication rec {
  pname = "pyzram";
  version = "@VERSION@";
  pyproject = true;

  src = fetchurl {
    url = "https://github.com/pyzram/pyzram/releases/download/v${version}/pyzram-${version}.tar.gz";
    sha256 = "@SHA256@";
  };

  build-system = with python3Packages; [
    cffi
    setuptools
  ];
  dependencies = [ python3Packages.cffi ];
  nativeBuildInputs = [ pkg-config ];
  buildInputs = [
    lz4
    zstd
    zlib
  ];

  # The service calls modprobe, mkswap, swapon, mount and mkfs.
  makeWrapperArgs = [
    "--prefix PATH : ${
      lib.makeBinPath [
        kmod
        util-linux
        e2fsprogs
      ]
    }"
  ];

  # There is no /usr/lib, so the distribution's defaults are those in the package.
  postPatch = ''
    substituteInPlace pyzram/config/layers.py man/zram.conf.5 initscripts/vendor/zram.conf \
      --replace-fail /usr/lib/pyzram $out/lib/pyzram
  '';

  # The defaults, and the units for the module beside this file.
  postInstall = ''
    make install-vendor VENDORDIR=$out/lib/pyzram
    make install-systemd UNITDIR=$out/lib/systemd/system
    substituteInPlace $out/lib/systemd/system/*.service \
      --replace-quiet "=pyzram " "=$out/bin/pyzram " \
      --replace-quiet "=zram_stats " "=$out/bin/zram_stats " \
      --replace-quiet "=kill " "=${coreutils}/bin/kill "
  '';

  # Tests start commands and isolated interpreters, which do not look at PYTHONPATH, so what was
  # installed gets an environment. The rings left out test a kernel, virtual machines and this packaging.
  nativeCheckInputs = with python3Packages; [
    hypothesis
    pytest
  ];
  installCheckPhase = ''
    runHook preInstallCheck
    python3 -m venv --without-pip check
    tr : '\n' <<<"$out/${python3Packages.python.sitePackages}:$PYTHONPATH" \
      >"$(echo check/lib/python3*/site-packages)/pyzram.pth"
    for command in pyzram zram_stats; do
      sed "1s,.*,#!$PWD/check/bin/python -I," scripts/$command >check/bin/$command
      chmod +x check/bin/$command
    done
    check/bin/python -Im pytest -m "not slow" tests/unit tests/native
    runHook postInstallCheck
  '';
  pythonImportsCheck = [
    "pyzram._native"
    "pyzram._native_codec"
  ];

  meta = {
    description = "Show, estimate and set up zram, compressed swap in memory";
    homepage = "https://github.com/pyzram/pyzram";
    license = lib.licenses.mit;
    platforms = lib.platforms.linux;
    mainProgram = "pyzram";
  };
}
