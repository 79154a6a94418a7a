dnl SPDX-License-Identifier: MIT
dnl What configure.ac of tmail itself uses. (packaging/sdk/tmail.m4 is for authors of modules.)

dnl TMAIL_FLAGS(VARIABLE, FLAGS): adds to VARIABLE those that the compiler takes.
AC_DEFUN([TMAIL_FLAGS], [
for tmail_flag in $2; do
	AS_VAR_PUSHDEF([tmail_cache], [tmail_cv_flag_$tmail_flag])
	AC_CACHE_CHECK([whether $CC takes $tmail_flag], [tmail_cache], [
		tmail_save="$CFLAGS"
		CFLAGS="$CFLAGS -Werror $tmail_flag"
		AC_COMPILE_IFELSE([AC_LANG_PROGRAM()], [AS_VAR_SET([tmail_cache], [yes])],
			[AS_VAR_SET([tmail_cache], [no])])
		CFLAGS="$tmail_save"
	])
	AS_VAR_IF([tmail_cache], [yes], [$1="$$1 $tmail_flag"])
	AS_VAR_POPDEF([tmail_cache])
done
])

dnl TMAIL_LINK_FLAGS(VARIABLE, FLAGS): the same for the linker.
AC_DEFUN([TMAIL_LINK_FLAGS], [
for tmail_flag in $2; do
	AS_VAR_PUSHDEF([tmail_cache], [tmail_cv_link_$tmail_flag])
	AC_CACHE_CHECK([whether the linker takes $tmail_flag], [tmail_cache], [
		tmail_save="$LDFLAGS"
		LDFLAGS="$LDFLAGS $tmail_flag"
		AC_LINK_IFELSE([AC_LANG_PROGRAM()], [AS_VAR_SET([tmail_cache], [yes])],
			[AS_VAR_SET([tmail_cache], [no])])
		LDFLAGS="$tmail_save"
	])
	AS_VAR_IF([tmail_cache], [yes], [$1="$$1 $tmail_flag"])
	AS_VAR_POPDEF([tmail_cache])
done
])

dnl TMAIL_FORTIFY(VARIABLE): _FORTIFY_SOURCE=3 where it does something and nobody set it.
AC_DEFUN([TMAIL_FORTIFY], [
AS_CASE([" $CPPFLAGS $CFLAGS "], [*_FORTIFY_SOURCE*|*" -O0 "*], [],
	[$1="$$1 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3"])
])

dnl TMAIL_BUILD_MODULE(AREA, NAME, [PKG-CONFIG MODULES]): --with-AREA-NAME=yes|no|auto.
dnl yes fails loudly when something is missing; auto leaves the module out and says so.
AC_DEFUN([TMAIL_BUILD_MODULE], [
AC_ARG_WITH([$1-$2], [AS_HELP_STRING([--with-$1-$2=yes|no|auto], [build the module $1/$2])],
	[], [with_$1_$2=auto])
tmail_build=yes
AS_IF([test "x$with_$1_$2" = xno], [tmail_build=no],
	[m4_ifval([$3], [PKG_CHECK_MODULES(m4_toupper([$1_$2]), [$3], [], [
		AS_IF([test "x$with_$1_$2" = xyes],
			[AC_MSG_ERROR([the module $1/$2 needs $3])])
		tmail_build=no])], [:])])
AS_IF([test "x$tmail_build" = xyes], [tmail_modules="$tmail_modules $1/$2"],
	[tmail_left_out="$tmail_left_out $1/$2"])
AM_CONDITIONAL([MODULE_]m4_toupper([$1_$2]), [test "x$tmail_build" = xyes])
])
