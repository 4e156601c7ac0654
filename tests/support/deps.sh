# The one list of Debian packages, sourced by tests/run, .ci/run and perf/demo. Nothing is asked of apt when all is
# there, so that an offline machine with the packages works.

# libknot is an oracle that tests link, and nothing else does: it is GPL.
deps_build=(
	bpftool clang gcc git libbpf-dev libc6-dev libcmocka-dev libcurl4-openssl-dev libdpdk-dev libelf-dev
	libjansson-dev libknot-dev libmicrohttpd-dev libnl-3-dev libnl-route-3-dev libnuma-dev libsqlite3-dev libxdp-dev
	libyaml-dev linux-libc-dev llvm meson ninja-build pkg-config python3 zlib1g-dev
)

# What the clusters of namespaces and their measurements need.
deps_run=(
	bind9-dnsutils busybox-static containerd containernetworking-plugins crun dnsmasq-base dnsperf dpdk-dev ethtool iperf3
	iproute2 iputils-ping musl-tools nghttp2-proxy openssl podman procps python3-pytest python3-scapy python3-yaml runc
	unbound util-linux valgrind
)

# Only .ci/run's stages.
deps_ci=(clang-format clang-tidy libclang-rt-14-dev)

# deps_missing PACKAGE...: prints those that are not installed, in one call of dpkg-query.
deps_missing()
{
	local have
	have=" $(dpkg-query -W -f='${Package}=${db:Status-Status} ' "$@" 2>/dev/null) "
	for package in "$@"; do
		[[ $have == *" $package=installed "* ]] || echo "$package"
	done
}

# deps_apt ARGUMENT...: apt-get. Tests run unbound in namespaces of their own: who had none before does not get a server by it,
# neither now nor when the machine boots again. A policy-rc.d that is there stays what it is.
deps_apt()
(
	policy=/usr/sbin/policy-rc.d refuses= new=$(deps_missing unbound)
	finish()
	{
		[ -z "$refuses" ] || rm -f "$policy"
		if [ -n "$new" ] && [ -z "$(deps_missing unbound)" ] && command -v systemctl >/dev/null; then
			systemctl disable unbound.service unbound-resolvconf.service
			[ ! -d /run/systemd/system ] || systemctl stop unbound.service
		fi
	}
	trap finish EXIT
	if [ -n "$new" ] && [ ! -e "$policy" ]; then
		refuses=yes
		printf '%s\n' '#!/bin/sh' '# made by tests/support/deps.sh for the time of one apt-get' \
			'case $1 in unbound*) exit 101 ;; esac' >"$policy"
		chmod 755 "$policy"
	fi
	DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 "$@" </dev/null
)

# deps_install PACKAGE...: installs what is missing; says what it does; fails with the end of apt's log.
deps_install()
{
	local missing log=${TMPDIR:-/tmp}/ringway-apt.$$.log try
	mapfile -t missing < <(deps_missing "$@")
	[ ${#missing[@]} -gt 0 ] || return 0
	if ! command -v apt-get >/dev/null; then
		echo "These packages are missing, and there is no apt-get to install them: ${missing[*]}" >&2
		return 1
	fi
	if [ "$(id -u)" != 0 ]; then
		echo "Run as root once, or install these packages: ${missing[*]}" >&2
		return 1
	fi
	echo "installing ${#missing[@]} packages: ${missing[*]}"
	for try in 1 2 3 4 5; do
		# When only the update fails, the lists that are here may do.
		deps_apt update >"$log" 2>&1 || echo "apt-get update failed (try $try of 5)"
		if deps_apt install -y --no-install-recommends -o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--force-confold \
			"${missing[@]}" >>"$log" 2>&1; then
			rm -f "$log"
			return 0
		fi
		echo "apt-get failed (try $try of 5)"
		sleep $((try * 5))
	done
	tail -30 "$log" >&2
	echo "apt-get could not install: ${missing[*]} (whole log: $log)" >&2
	return 1
}

# deps_build_tree ROOT: configures ROOT/build when it is not, and builds it (release, LTO).
deps_build_tree()
{
	local root=$1
	if [ ! -f "$root/build/build.ninja" ]; then
		meson setup "$root/build" "$root" </dev/null || return 1
	fi
	ninja -C "$root/build" </dev/null
}
