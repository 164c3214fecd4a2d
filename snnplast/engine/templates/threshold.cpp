{# USES_VARIABLES { N } #}
{# The condition of all neurons becomes vector code, and leaves marks. Spikes are rare: what they do is done for the
   marked neurons only. #}
{% extends 'common_group.cpp' %}

{% block maincode %}
    const int _vectorisation_idx = -1;
    {{scalar_code|autoindent}}

    {% set _events = get_array_name(eventspace_variable) %}
    alignas(64) static char _marks[(N + 63) / 64 * 64];
    for (int64_t _idx = 0; _idx < N; _idx++) {
        const size_t _vectorisation_idx = _idx;
        {{vector_code|autoindent}}
        _marks[_idx] = _cond ? 1 : 0;
    }
    int32_t _n_events = 0;
    for (int64_t _first = 0; _first < N; _first += 64)
        for (uint64_t _left = snnplast::as_bits(_marks + _first); _left; _left &= _left - 1)
            {{_events}}[_n_events++] = static_cast<int32_t>(_first + __builtin_ctzll(_left));
    {% if _uses_refractory %}
    for (int32_t _event = 0; _event < _n_events; _event++) {
        const int32_t _idx = {{_events}}[_event];
        {{not_refractory}}[_idx] = false;
        {{lastspike}}[_idx] = {{t}};
    }
    {% endif %}
    {{_events}}[N] = _n_events;
{% endblock %}
