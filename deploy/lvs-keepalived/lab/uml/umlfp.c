/*
 * Lets user-mode Linux run on hosts whose CPU has AMX: LD_PRELOAD this.
 *
 * UML 6.1 keeps 2,696 bytes of extended CPU state for each of its processes, which ends with
 * the protection keys. With AMX the kernel of the host wants all of its state, 11,008 bytes, in
 * PTRACE_SETREGSET, and answers a shorter one with EFAULT ("ptrace set fp regs failed, errno =
 * 14"). So what UML gives is put into a buffer of the size that the host has, with the
 * bits for the two AMX components cleared. On other CPUs nothing is changed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define NT_X86_XSTATE 0x202
#define XSTATE_BV 512 /* offset of the bits that tell which components follow */
#define AMX (UINT64_C(1) << 17 | UINT64_C(1) << 18)

static uint8_t state[65536] __attribute__((aligned(64)));
static size_t state_size; /* of the host; 0: not asked yet */

static size_t host_state_size(long pid, void *kind)
{
	struct iovec all = { state, sizeof state };
	if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, kind, &all) != 0)
		return 0;
	memset(state, 0, sizeof state);
	return all.iov_len;
}

static long set_state(long pid, void *kind, struct iovec *given)
{
	if (state_size == 0)
		state_size = host_state_size(pid, kind);
	if (state_size <= given->iov_len || given->iov_len < XSTATE_BV + sizeof(uint64_t))
		return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, kind, given);

	uint64_t components;
	memcpy(state, given->iov_base, given->iov_len);
	memcpy(&components, state + XSTATE_BV, sizeof components);
	components &= ~AMX;
	memcpy(state + XSTATE_BV, &components, sizeof components);
	struct iovec padded = { state, state_size };
	return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, kind, &padded);
}

/* The C library's ptrace returns what PEEK reads; the system call stores it. */
static long peek(long request, long pid, void *addr)
{
	long word;
	long result = syscall(SYS_ptrace, request, pid, addr, &word);
	if (result < 0)
		return result;
	errno = 0;
	return word;
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list args;
	va_start(args, request);
	long pid = va_arg(args, int);
	void *addr = va_arg(args, void *);
	void *data = va_arg(args, void *);
	va_end(args);

	switch (request) {
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA:
	case PTRACE_PEEKUSER:
		return peek(request, pid, addr);
	case PTRACE_SETREGSET:
		if ((long)addr == NT_X86_XSTATE)
			return set_state(pid, addr, data);
		break;
	default:
		break;
	}
	return syscall(SYS_ptrace, request, pid, addr, data);
}
