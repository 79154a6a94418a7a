/* SPDX-License-Identifier: MIT
 *
 * A shared object that is no module.
 */
extern int something;
int something = 1;
