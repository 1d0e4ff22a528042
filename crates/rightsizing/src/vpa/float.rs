//! Logarithm and powers, operation by operation as the standard library of Go computes them.
//!
//! VPA's recommender is written in Go, and the last bit of these functions decides the bucket of
//! a sample and the end of a bucket. The functions of a C library and of Rust differ from Go's in
//! the last bit now and then, and between machines. The polynomials are those of `log`, `exp2`
//! and `pow` in Go's package `math`, which takes them from FreeBSD's `e_log.c` and `e_exp.c`.

const LN2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
const LN2_LOW: f64 = f64::from_bits(0x3dea_39ef_3579_3c76);

const FRACTION_BITS: u32 = 52;
const EXPONENT_MASK: u64 = 0x7ff;
const BIAS: i64 = 1023;

/// Returns the natural logarithm of a number that is not negative.
pub(crate) fn ln(x: f64) -> f64 {
    const L: [f64; 7] = [
        f64::from_bits(0x3fe5_5555_5555_5593),
        f64::from_bits(0x3fd9_9999_9997_fa04),
        f64::from_bits(0x3fd2_4924_9422_9359),
        f64::from_bits(0x3fcc_71c5_1d8e_78af),
        f64::from_bits(0x3fc7_4664_96cb_03de),
        f64::from_bits(0x3fc3_9a09_d078_c69f),
        f64::from_bits(0x3fc2_f112_df3e_5244),
    ];
    if x.is_nan() || x == f64::INFINITY {
        return x;
    }
    if x < 0.0 {
        return f64::NAN;
    }
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    let (mut fraction, mut exponent) = split(x);
    if fraction < std::f64::consts::FRAC_1_SQRT_2 {
        fraction *= 2.0;
        exponent -= 1;
    }
    let f = fraction - 1.0;
    let k = exponent as f64;
    let s = f / (2.0 + f);
    let s2 = s * s;
    let s4 = s2 * s2;
    let odd = s2 * (L[0] + s4 * (L[2] + s4 * (L[4] + s4 * L[6])));
    let even = s4 * (L[1] + s4 * (L[3] + s4 * L[5]));
    let rest = odd + even;
    let half = 0.5 * f * f;
    k * LN2_HIGH - ((half - (s * (half + rest) + k * LN2_LOW)) - f)
}

/// Returns 2 to the power of `x`.
pub(crate) fn exp2(x: f64) -> f64 {
    const P: [f64; 5] = [
        f64::from_bits(0x3fc5_5555_5555_5555),
        f64::from_bits(0xbf66_c16c_16be_bd93),
        f64::from_bits(0x3f11_566a_af25_de2c),
        f64::from_bits(0xbebb_bd41_c5d2_6bf1),
        f64::from_bits(0x3e66_3769_72be_a4d0),
    ];
    const LARGEST: f64 = 1_023.999_999_999_999_9;
    const SMALLEST: f64 = -1074.0;
    if x.is_nan() || x == f64::INFINITY {
        return x;
    }
    if x > LARGEST {
        return f64::INFINITY;
    }
    if x < SMALLEST {
        return 0.0;
    }
    let k = if x > 0.0 {
        truncate(x + 0.5)
    } else {
        truncate(x - 0.5)
    };
    let rest = x - k as f64;
    let high = rest * LN2_HIGH;
    let low = -rest * LN2_LOW;
    let reduced = high - low;
    let t = reduced * reduced;
    let c = reduced - t * (P[0] + t * (P[1] + t * (P[2] + t * (P[3] + t * P[4]))));
    scale(1.0 - ((low - (reduced * c) / (2.0 - c)) - high), k)
}

/// Returns a number that is not negative to a whole power.
pub(crate) fn power(x: f64, exponent: i32) -> f64 {
    if exponent == 0 {
        return 1.0;
    }
    if exponent == 1 || x.is_nan() {
        return x;
    }
    if x == 0.0 || x == f64::INFINITY {
        let vanishes = (x == 0.0) == (exponent > 0);
        return if vanishes { 0.0 } else { f64::INFINITY };
    }
    let (mut product, mut of_product) = (1.0, 0);
    let (mut square, mut of_square) = split(x);
    let mut bits = exponent.unsigned_abs();
    while bits != 0 {
        if !(-(1 << 12)..=1 << 12).contains(&of_square) {
            of_product += of_square;
            break;
        }
        if bits & 1 == 1 {
            product *= square;
            of_product += of_square;
        }
        square *= square;
        of_square *= 2;
        if square < 0.5 {
            square += square;
            of_square -= 1;
        }
        bits >>= 1;
    }
    if exponent < 0 {
        product = 1.0 / product;
        of_product = -of_product;
    }
    scale(product, of_product)
}

/// Splits a finite number above 0 into a fraction in [0.5, 1) and a power of two.
fn split(x: f64) -> (f64, i64) {
    let (x, small) = normal(x);
    let bits = x.to_bits();
    let exponent = ((bits >> FRACTION_BITS) & EXPONENT_MASK).cast_signed() - BIAS + 1;
    let fraction =
        (bits & !(EXPONENT_MASK << FRACTION_BITS)) | ((BIAS - 1).cast_unsigned() << FRACTION_BITS);
    (f64::from_bits(fraction), exponent + small)
}

/// Returns a number multiplied by 2 to the power of `exponent`.
pub(crate) fn scale(fraction: f64, exponent: i64) -> f64 {
    if fraction == 0.0 || !fraction.is_finite() {
        return fraction;
    }
    let (fraction, small) = normal(fraction);
    let bits = fraction.to_bits();
    let of_fraction = ((bits >> FRACTION_BITS) & EXPONENT_MASK).cast_signed() - BIAS;
    let mut exponent = exponent.saturating_add(small).saturating_add(of_fraction);
    if exponent < -1075 {
        return 0.0_f64.copysign(fraction);
    }
    if exponent > 1023 {
        return f64::INFINITY.copysign(fraction);
    }
    let mut factor = 1.0;
    if exponent < -1022 {
        exponent += 53;
        factor = f64::EPSILON / 2.0;
    }
    let bits = (bits & !(EXPONENT_MASK << FRACTION_BITS))
        | ((exponent + BIAS).cast_unsigned() << FRACTION_BITS);
    factor * f64::from_bits(bits)
}

/// Makes a number normal: the number is the first result times 2 to the power of the second.
fn normal(x: f64) -> (f64, i64) {
    if x.abs() < f64::MIN_POSITIVE {
        (
            x * (1_u64 << FRACTION_BITS) as f64,
            -i64::from(FRACTION_BITS),
        )
    } else {
        (x, 0)
    }
}

/// Cuts off the digits after the point; a number beyond 64 bits becomes the nearest of these.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the digits after the point are cut off, and such a cast saturates"
)]
pub(crate) fn truncate(x: f64) -> i64 {
    x as i64
}
