# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

EAPI=8

DISTUTILS_EXT=1
DISTUTILS_USE_PEP517=setuptools
PYTHON_COMPAT=( python3_{12..15} )

inherit distutils-r1 linux-info optfeature systemd

DESCRIPTION="Set up, watch and plan zram, the compressed block device in memory"
HOMEPAGE="https://github.com/pyzram/pyzram"

if [[ ${PV} == *9999 ]]; then
	inherit git-r3
	EGIT_REPO_URI="https://github.com/pyzram/pyzram.git"
else
	SRC_URI="https://github.com/pyzram/pyzram/releases/download/v${PV}/${P}.tar.gz"
	KEYWORDS="~amd64 ~arm ~arm64 ~ppc64 ~riscv ~x86"
fi

LICENSE="MIT"
SLOT="0"

DEPEND="
	app-arch/lz4:=
	app-arch/zstd:=
	virtual/zlib:=
"
# kmod, util-linux: modprobe, mkswap, swapon and mount, which the service calls
RDEPEND="
	${DEPEND}
	dev-python/cffi:=[${PYTHON_USEDEP}]
	sys-apps/kmod
	sys-apps/util-linux
"
BDEPEND="
	dev-python/cffi[${PYTHON_USEDEP}]
	virtual/pkgconfig
	test? ( dev-python/hypothesis[${PYTHON_USEDEP}] )
"

EPYTEST_PLUGINS=()
distutils_enable_tests pytest

CONFIG_CHECK="~SWAP ~ZRAM ~ZRAM_MULTI_COMP ~ZRAM_WRITEBACK ~ZSMALLOC"
WARNING_SWAP="CONFIG_SWAP is needed for compressed swap."
WARNING_ZRAM="CONFIG_ZRAM is needed: without it there are no zram devices."
WARNING_ZRAM_MULTI_COMP="CONFIG_ZRAM_MULTI_COMP is needed only for recompression."
WARNING_ZRAM_WRITEBACK="CONFIG_ZRAM_WRITEBACK is needed only for backing devices."
WARNING_ZSMALLOC="CONFIG_ZSMALLOC is needed: zram stores its pages in it."

python_test() {
	# the installed package, which has the extensions, not the sources beside the tests
	rm -rf pyzram || die
	# the other rings test a kernel, virtual machines and this packaging
	epytest -m "not slow" tests/unit tests/native
}

python_install_all() {
	distutils-r1_python_install_all

	# man pages and completions are in the wheel
	local file
	for file in initscripts/openrc/*.initd; do
		newinitd "${file}" "$(basename "${file}" .initd)"
	done
	for file in initscripts/openrc/*.confd; do
		newconfd "${file}" "$(basename "${file}" .confd)"
	done
	systemd_dounit initscripts/systemd/*
	# where the distribution's defaults are looked for, whatever the prefix of libraries
	insinto /usr/lib/pyzram
	doins initscripts/vendor/*
	# nothing in it is active: the administrator takes from it
	insinto /etc/sysctl.d
	doins initscripts/sysctl.d/*
	insinto /etc/cron.d
	doins initscripts/cron/*
	insinto /etc/logrotate.d
	doins initscripts/logrotate.d/*
	# where app-metrics/node_exporter looks, under OpenRC by its conf.d, under systemd by its sysconfig
	local textfiles=/var/lib/node_exporter
	sed -i -e "s|^DIRECTORY=.*|DIRECTORY=${textfiles}|" "${ED}"/etc/cron.d/zram-textfile || die
	textfiles+=/textfile_collector
	sed -i -e "s|^Environment=DIRECTORY=.*|Environment=DIRECTORY=${textfiles}|" \
		-e "s|^ReadWritePaths=.*|ReadWritePaths=-/var/lib -${textfiles}|" \
		"${D}$(systemd_get_systemunitdir)"/zram-{textfile,estimate}.service || die
}

pkg_postinst() {
	optfeature "progress bars" dev-python/rich
	optfeature "ext4 file systems on zram devices" sys-fs/e2fsprogs
}
