dnl SPDX-License-Identifier: MIT
dnl TMAIL_MODULE_FLAGS: for the configure.ac of a package with modules for tmail. Sets and
dnl substitutes TMAIL_CFLAGS (where <tmail/module.h> is), TMAIL_MODULE_DIR (where modules go:
dnl AREA/NAME.so below it), TMAIL_ABI and TMAIL_MODULE_LDFLAGS (for -module libraries).
AC_DEFUN([TMAIL_MODULE_FLAGS], [
	AC_REQUIRE([PKG_PROG_PKG_CONFIG])
	PKG_CHECK_MODULES([TMAIL], [tmail])
	PKG_CHECK_VAR([TMAIL_MODULE_DIR], [tmail], [moduledir])
	PKG_CHECK_VAR([TMAIL_ABI], [tmail], [abi])
	TMAIL_MODULE_LDFLAGS="-module -avoid-version -shared -Wl,-z,defs -Wl,-z,now"
	AC_SUBST([TMAIL_MODULE_LDFLAGS])
])
