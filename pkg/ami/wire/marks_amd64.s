#include "textflag.h"

// QUARTER adds to BX and CX where the 16 bytes at off(SI) are line ends and colons, as bits from shift on.
#define QUARTER(off, shift) \
	MOVOU off(SI), X2   \
	MOVOA X2, X3        \
	PCMPEQB X0, X2      \
	PCMPEQB X1, X3      \
	PMOVMSKB X2, R8     \
	PMOVMSKB X3, R9     \
	SHLQ $shift, R8     \
	SHLQ $shift, R9     \
	ORQ R8, BX          \
	ORQ R9, CX

DATA lineEnds<>+0(SB)/8, $0x0a0a0a0a0a0a0a0a
DATA lineEnds<>+8(SB)/8, $0x0a0a0a0a0a0a0a0a
GLOBL lineEnds<>(SB), RODATA|NOPTR, $16
DATA colons<>+0(SB)/8, $0x3a3a3a3a3a3a3a3a
DATA colons<>+8(SB)/8, $0x3a3a3a3a3a3a3a3a
GLOBL colons<>(SB), RODATA|NOPTR, $16

// func marks(p *[64]byte) (lf, colon uint64)
TEXT ·marks(SB), NOSPLIT, $0-24
	MOVQ p+0(FP), SI
	MOVOU lineEnds<>(SB), X0
	MOVOU colons<>(SB), X1
	XORL BX, BX
	XORL CX, CX
	QUARTER(0, 0)
	QUARTER(16, 16)
	QUARTER(32, 32)
	QUARTER(48, 48)
	MOVQ BX, lf+8(FP)
	MOVQ CX, colon+16(FP)
	RET
